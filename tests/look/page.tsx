/** `?scene=phases&locale=fr&theme=dark&density=compact&dir=rtl&limit=1000&stir=100`: one panel as asked for. */
import '../../js/react/styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { type Locale, OrchestratorProvider, TaskManager, type TaskManagerProps } from '../../js/react/index.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { scenes, stir } from './scenes.ts';

const asked = new URLSearchParams(location.search);
const fake = new FakeOrchestrator((notify) => requestAnimationFrame(notify));
(scenes[asked.get('scene') ?? 'phases'] ?? scenes.phases!)(fake);
Object.assign(window, { fake, stir: (count: number, perSecond: number) => stir(fake, count, perSecond) });
document.documentElement.dir = asked.get('dir') ?? 'ltr';

const props: TaskManagerProps = {
  locale: (asked.get('locale') ?? 'en') as Locale,
  density: (asked.get('density') ?? 'comfortable') as 'comfortable',
  theme: (asked.get('theme') ?? 'auto') as 'auto',
  limit: Number(asked.get('limit') ?? 100),
};

const panel = (
  <OrchestratorProvider orchestrator={fake}>
    <TaskManager {...props} />
  </OrchestratorProvider>
);
createRoot(document.getElementById('root')!).render(asked.has('loose') ? panel : <StrictMode>{panel}</StrictMode>);
