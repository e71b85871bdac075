/** What other tabs ask of this one, and what it makes of what they tell. */
import type { Orchestrator } from '../orchestrator.ts';
import { obey } from './remote-commands.ts';
import type { TabsHost } from './tabs.ts';
import { eventTask } from '../waiting/internal.ts';

export function tabsHost(house: Orchestrator): TabsHost {
  return {
    get clock() {
      return house.clock;
    },
    adopt: (slot) => house.opening.adopt(slot),
    // Of events everybody has a copy.
    localStates: () => house.localRuns().filter((run) => run.taskIdentifier !== eventTask).map((run) => run.state),
    standingOf: (ids) => house.opening.standingOf(ids),
    obey: (id, verb, argument) => obey(house, id, verb, argument),
    local: (id) => house.localRun(id),
    received: (event) => house.waiting.receive(event),
    holdersOf: (keys) => house.identity.holdersOf(keys),
    news: () => house.waiting.news(),
    remoteChanged: (id) => house.store.changedElsewhere(id),
    readStream: (id, key, options) => house.stream(id, key, options),
    update: (id, name, data, options) => house.waiting.asking.update(id, name, data, options),
    warn: (message) => house.warn(message),
    destroyed: () => house.opening.destroyed(),
  };
}
