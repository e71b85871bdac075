import 'holdfast/react/styles.css';
import './styles.css';
import './enrich.css';
import { OrchestratorProvider } from 'holdfast/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { orchestrator } from './orchestrator.ts';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <OrchestratorProvider orchestrator={orchestrator}>
      <App />
    </OrchestratorProvider>
  </StrictMode>,
);
