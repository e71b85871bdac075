/** What the panel is looked at with: every phase, hostile and long texts, many rows. */
import type { TaskState } from '../../js/types.ts';
import type { FakeOrchestrator, Patch } from '../fake/orchestrator.ts';

const minute = 60_000;
const longName =
  'Quarterly_consolidated_financial_statements_2026_including_all_subsidiaries_and_the_appendix_with_scanned_signatures_final_v7_really_final.pdf';

export type Scene = (fake: FakeOrchestrator) => void;

const ago = (ms: number) => Date.now() - ms;

const everyPhase: Patch[] = [
  {
    name: 'Extract text from annual-report.pdf',
    phase: 'running',
    progress: 42,
    progressSource: 'reported',
    progressMessage: 'Page 21 of 50',
    remainingMs: 95_000,
    metadata: { fileName: 'annual-report.pdf', fileSize: 18_400_000 },
    steps: 21,
    progressStep: 'page-21',
  },
  { name: 'Rasterize floor-plan.pdf', phase: 'running', progress: 63, progressSource: 'simulated' },
  { name: 'Zip 240 images', phase: 'running', progress: 97, progressSource: 'reported' },
  { name: 'Ask the language model', phase: 'running' },
  { name: 'Wait for approval of contract.docx', phase: 'waiting', progress: 50, progressSource: 'reported' },
  {
    name: 'Upload to the archive',
    phase: 'retrying',
    attempt: 2,
    retryCount: 2,
    retryAt: Date.now() + 12_000,
    error: new Error('503 Service Unavailable'),
  },
  { name: 'Clean customers.json', phase: 'queued', attempt: 0 },
  { name: 'Merge all parts', phase: 'blocked', reason: 'dependencies', attempt: 0 },
  { name: 'Old import', phase: 'blocked', status: 'paused', reason: 'missing-definition', attempt: 1 },
  { name: 'Nightly summary', phase: 'delayed', attempt: 0, retryAt: Date.now() + 3 * 3_600_000 },
  { name: 'Index the photo library', phase: 'suspended', progress: 38, progressSource: 'reported' },
  { name: 'Transcode holiday.mov', phase: 'interrupted', progress: 71, progressSource: 'estimated', recoveries: 1 },
  { name: 'Compress logs', phase: 'cancelling', progress: 55, progressSource: 'reported' },
  {
    name: 'Split dataset',
    phase: 'completed',
    result: new Blob(['x'.repeat(120_000)], { type: 'application/zip' }),
    startTime: ago(3 * minute),
    endedAt: ago(2 * minute),
    progress: 100,
  },
  {
    name: 'Translate readme',
    phase: 'completed',
    result: 'https://example.org/readme.fr',
    startTime: ago(21 * minute),
    endedAt: ago(20 * minute),
    progress: 100,
    recoveries: 2,
  },
  {
    name: 'OCR of receipt-0042.jpg',
    phase: 'failed',
    attempt: 3,
    retryCount: 3,
    error: new Error('The image is too dark to be read: mean luminance 4 of 255'),
    endedAt: ago(minute),
  },
  {
    name: 'Fetch exchange rates',
    phase: 'timedOut',
    error: new Error('The deadline of 5 minutes has passed'),
    endedAt: ago(5 * minute),
  },
  {
    name: 'Send the reminder',
    phase: 'expired',
    attempt: 0,
    error: new Error('Not started within 1 hour'),
    endedAt: ago(40 * minute),
  },
  {
    name: 'Render 3D preview',
    phase: 'quarantined',
    recoveries: 3,
    error: new Error('The tab died three times while this was running'),
    endedAt: ago(9 * minute),
  },
  { name: 'Export to CSV', phase: 'cancelled', endedAt: ago(50 * minute) },
  { name: 'Sync with the other window', phase: 'running', progress: 20, progressSource: 'reported', local: false },
];

const awkward: Patch[] = [
  {
    name: longName,
    phase: 'running',
    progress: 12,
    progressSource: 'reported',
    progressMessage: `Reading ${longName}`,
    metadata: { fileName: longName },
  },
  { name: 'a'.repeat(400), phase: 'failed', error: new Error('x'.repeat(900)), endedAt: ago(minute) },
  {
    name: '<img src=x onerror=alert(1)> & <b>bold</b>',
    phase: 'failed',
    error: new Error('<script>alert(1)</script>'),
    endedAt: ago(minute),
    metadata: { '<i>key</i>': '"><svg onload=alert(1)>' },
  },
  { name: 'invoice\u202Efdp.exe', phase: 'running', progress: 80, progressSource: 'reported' },
  {
    name: 'تحويل التقرير السنوي.pdf',
    phase: 'completed',
    endedAt: ago(minute),
    progress: 100,
    result: new Blob(['x'], { type: 'application/pdf' }),
  },
  { name: '年次報告書の抽出 📄', phase: 'queued', attempt: 0 },
  { name: '', phase: 'queued', attempt: 0 },
];

const missingFile = { type: 'application/pdf', lastModified: 0, digest: 'd'.repeat(64) };
const missing: Patch[] = [
  {
    name: 'Extract text from annual-report.pdf',
    phase: 'blocked',
    status: 'paused',
    reason: 'missing-payload',
    attempt: 0,
    missing: [{ ...missingFile, name: 'annual-report.pdf', size: 18_400_000 }],
  },
  {
    name: 'Merge scans',
    phase: 'blocked',
    status: 'paused',
    reason: 'missing-payload',
    attempt: 1,
    missing: [
      { ...missingFile, name: longName, size: 2048 },
      { ...missingFile, name: undefined, size: 99 },
    ],
  },
];

/** Every reason why one is held. */
const held: Patch[] = [
  { name: 'Enrich 4,000 addresses', phase: 'blocked', reason: 'offline', attempt: 1, progress: 40, progressSource: 'reported' },
  { name: 'Render page 17', phase: 'blocked', reason: 'breaker', attempt: 2, retryAt: Date.now() + 25_000 },
  { name: 'Render page 18', phase: 'blocked', reason: 'breaker', attempt: 0 },
  { name: 'Write the ledger of 2026', phase: 'waiting', reason: 'lock', attempt: 1, progress: 20, progressSource: 'reported' },
  { name: 'run_0000000001', phase: 'blocked', status: 'paused', reason: 'locked', attempt: 0, taskIdentifier: 'locked' },
  { name: 'Approve contract.docx', phase: 'blocked', reason: 'token', attempt: 0 },
  { name: 'Split dataset', phase: 'blocked', reason: 'adoption', attempt: 1 },
  { name: 'Translate readme', phase: 'blocked', reason: 'recovery', attempt: 1 },
  { name: 'Zip 240 images', phase: 'blocked', reason: 'storage-full', attempt: 1 },
  { name: longName, phase: 'blocked', status: 'paused', reason: 'schema-mismatch', attempt: 0, error: new Error("The input of this run is from an earlier page, and today's schema refuses it: count: expected a number.") },
];

interface Container extends Patch {
  id: string;
  members: readonly Patch[];
}

/** Containers, with what stands under them; a member may be a container itself. */
function under(containers: readonly Container[]): Scene {
  return (fake) => {
    for (const { members, ...container } of containers) {
      fake.add(container);
      for (const [index, member] of members.entries()) fake.add({ id: `${container.id}-${index}`, parentId: container.id, depth: 1, ...member });
    }
  };
}

const pages = (count: number, ended: number, failed: readonly number[] = []): Patch[] =>
  Array.from({ length: count }, (_, index) => {
    const name = `Read page ${index + 1}`;
    if (failed.includes(index)) return { name, phase: 'failed', attempt: 3, retryCount: 3, error: new Error(`Page ${index + 1} is damaged: unexpected end of data`), endedAt: ago(minute) };
    if (index < ended) return { name, phase: 'completed', progress: 100, startTime: ago(2 * minute), endedAt: ago(minute) };
    return index < ended + 4 ? { name, phase: 'running', progress: 20 * (1 + (index % 4)), progressSource: 'reported' } : { name, phase: 'queued', attempt: 0 };
  });
const batchOf = { taskIdentifier: 'holdfast/batch', phase: 'waiting', progressSource: 'reported' } satisfies Patch;

const containers: readonly Container[] = [
  { ...batchOf, id: 'done', name: 'Import of May', phase: 'completed', progress: 100, endedAt: ago(minute), startTime: ago(4 * minute), members: pages(12, 12) },
  {
    id: 'chain', name: 'Data pipeline', taskIdentifier: 'holdfast/chain', phase: 'waiting', progress: 33, progressSource: 'reported',
    members: [
      { name: 'Preprocess', phase: 'completed', progress: 100, endedAt: ago(minute) },
      { name: longName, phase: 'running', progress: 40, progressSource: 'reported', progressMessage: `Reading ${longName}` },
      { name: 'Notify', phase: 'blocked', reason: 'dependencies', attempt: 0 },
    ],
  },
  { id: 'swarm', name: longName, taskIdentifier: 'holdfast/swarm', phase: 'waiting', progress: 60, progressSource: 'reported', members: pages(1000, 596, [3, 7, 300, 301]) },
  { ...batchOf, id: 'batch', name: 'Read annual-report.pdf', progress: 75, members: pages(24, 18, [2, 5]) },
];

/** Takes no file: it is always another one. */
const missingScene: Scene = (fake) => {
  put(missing)(fake);
  fake.judge = (file) =>
    Object.assign(new Error('another'), {
      code: 'PAYLOAD_MISMATCH',
      data: { differs: 'size', expected: missing[0]!.missing![0], given: { name: (file as File).name, size: file.size } },
    });
};

function put(states: readonly Patch[]): Scene {
  return (fake) => {
    // Newest first: what stands first above is made last.
    for (const [index, patch] of [...states.entries()].reverse()) {
      fake.add({ id: `run-${index + 1}`, createdAt: ago((states.length - index) * minute), ...patch });
    }
  };
}

export function many(count: number): Scene {
  return (fake) => {
    for (let index = 0; index < count; index++) {
      fake.add({
        id: `r${index}`,
        name: `Process document ${index}.pdf`,
        progress: index % 100,
        progressSource: 'reported',
        phase: index % 7 === 0 ? 'queued' : 'running',
      });
    }
  };
}

const storage =
  (patch: Partial<FakeOrchestrator['storageState']>): Scene =>
  (fake) => {
    put(everyPhase.slice(0, 2))(fake);
    fake.setStorage(patch);
  };

export const scenes: Record<string, Scene> = {
  empty: () => {},
  opening: (fake) => fake.setStorage({ status: 'opening' }),
  one: put(everyPhase.slice(0, 1)),
  phases: put(everyPhase),
  missing: missingScene,
  held: put(held),
  containers: under(containers),
  locked: storage({ status: 'locked', message: '12 runs are encrypted with another key. They are kept as they are, and go on when that key is given.' }),
  destroyed: storage({ status: 'destroyed' }),
  awkward: put(awkward),
  thousand: many(1000),
  tenthousand: many(10_000),
  full: storage({ status: 'full' }),
  degraded: storage({ status: 'degraded' }),
  failing: storage({ status: 'failing' }),
  memory: storage({ durability: 'memory' }),
};

/** Changes runs at random places, `perSecond` times, until stopped. */
export function stir(fake: FakeOrchestrator, count: number, perSecond: number): () => void {
  const progress = (index: number) => fake.getTaskState(`r${index}`)?.progress ?? 0;
  let turn = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < perSecond / 50; n++) {
      const index = (turn++ * 7919) % count;
      if (turn % 40 === 0) fake.update(`r${index}`, { phase: 'completed', endedAt: Date.now(), progress: 100 });
      else
        fake.update(`r${index}`, {
          phase: 'running',
          progress: (progress(index) + 1) % 100,
        } satisfies Partial<TaskState>);
    }
  }, 20);
  return () => clearInterval(timer);
}
