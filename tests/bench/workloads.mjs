// What is compared with what, and with how many tasks. A rate is tasks per second, so a slow peer may be
// given fewer tasks: fewer are kinder to both slow peers, whose cost per task grows with their number.
export const parts = ['memory', 'durable', 'local', 'steps', 'limits', 'reopen', 'figures'];

/** `durable20`: the durable contender with 20,000 tasks. */
export const full = {
  memory: 100_000,
  fastq: 100_000,
  pQueue: 100_000,
  durable: 100_000,
  idb: 2_000,
  durable20: 20_000,
  localStorage: 2_000,
  steps: 10_000,
  idbSteps: 2_000,
  parallelSteps: 10_000,
  idbParallelSteps: 2_000,
  keyed: 20_000,
  bottleneck: 20_000,
  delayed: 100_000,
  timeouts: 100_000,
  reopen: 100_000,
};
export const smoke = {
  memory: 2_000,
  fastq: 2_000,
  pQueue: 2_000,
  durable: 5_000,
  idb: 200,
  durable20: 3_000,
  localStorage: 300,
  steps: 500,
  idbSteps: 200,
  parallelSteps: 500,
  idbParallelSteps: 200,
  keyed: 1_000,
  bottleneck: 1_000,
  delayed: 2_000,
  timeouts: 2_000,
  reopen: 2_000,
};

const inMemory = ({ memory }) => `${memory} trivial async tasks, 10 at once, in memory, all features on`;
const same = () => 'the same, durable: each accepted, run and its result stored';

export const comparisons = [
  { part: 'memory', workload: inMemory, ours: 'memory', peer: 'fastq', peerName: () => 'fastq, promises', aim: 1 },
  { part: 'memory', workload: inMemory, ours: 'memory', peer: 'pQueue', peerName: () => 'p-queue + p-retry', aim: 2.5 },
  {
    part: 'durable',
    workload: same,
    ours: 'durable',
    peer: 'idb',
    peerName: ({ idb }) => `p-queue, idb at each of 3 changes (${idb} tasks)`,
    aim: 200,
  },
  { part: 'durable', workload: same, ours: 'durable', peer: 'memory', peerName: () => 'ours in memory', aim: 0.4 },
  {
    part: 'local',
    workload: ({ durable20 }) => `${durable20} durable tasks`,
    ours: 'durable20',
    peer: 'localStorage',
    peerName: ({ localStorage }) => `whole list into localStorage at each change (${localStorage} tasks)`,
    aim: 20,
  },
  {
    part: 'steps',
    workload: ({ steps }) => `${steps} durable steps of trivial work, one after the other in one task`,
    ours: 'steps',
    peer: 'idbSteps',
    peerName: ({ idbSteps }) => `each result written with idb, its transaction awaited (${idbSteps} steps)`,
    aim: 3,
  },
  {
    part: 'steps',
    workload: ({ parallelSteps }) => `${parallelSteps} durable steps of trivial work, all at once in one task`,
    ours: 'parallelSteps',
    peer: 'idbParallelSteps',
    peerName: ({ idbParallelSteps }) => `a transaction of idb for each result, all at once (${idbParallelSteps} steps)`,
    aim: 50,
  },
  {
    part: 'limits',
    workload: ({ keyed }) => `${keyed} tasks of ${Math.min(keyed, 10_000)} keys, one at once of each key, in memory`,
    ours: 'keyed',
    peer: 'bottleneck',
    peerName: () => "Bottleneck's Group, maxConcurrent 1",
    aim: 20,
  },
  {
    part: 'limits',
    workload: ({ delayed }) => `${delayed} tasks with a delay of 1 to 500 ms, in memory; one timer of the host`,
    ours: 'delayed',
    peer: 'timeouts',
    peerName: () => 'a setTimeout for each, no tasks',
    aim: 1,
  },
];
