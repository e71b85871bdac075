// The memory outside of the browser: every report in the order it came, and what contradicts what had been
// promised before. What is known here was told by a page after the fact, so the store must know it too.

/** What a store may not do; each violation is of one of these. */
export const promises = {
  lost: 'accepted tasks lost',
  rerun: 'recorded steps run again',
  twice: 'results recorded twice',
  changed: 'recorded values that changed',
  wrong: 'wrong results',
  doubled: 'runs executed in two places at once',
  undead: 'ended, cancelled, paused or removed runs that ran again',
  crashed: 'pages that crashed by themselves',
  undone: 'ends, cancels, pauses or removals taken back',
};

const isEnd = (status) => status === 'completed' || status === 'failed' || status === 'cancelled';

export class Witness {
  /** id → what has been told of the run. */
  runs = new Map();
  violations = [];
  counts = {
    accepted: 0,
    recorded: 0,
    executed: 0,
    attempts: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    paused: 0,
    removed: 0,
    refused: 0,
    reports: 0,
  };
  warnings = new Map();
  #seen = new Map();
  #deaths = new Map();

  /** A page is about to be killed: nothing of it goes on. */
  died(page) {
    this.#deaths.set(page, Date.now());
  }

  violate(promise, run, words) {
    // One fact, one violation, however often it is looked at.
    if (this.violations.some((one) => one.promise === promise && one.run === run && one.words === words)) return;
    this.violations.push({ promise, run, words, story: this.#story(run) });
  }

  /** What had been told of the run, the last of it. */
  #story(id) {
    const told = this.runs.get(id)?.told ?? [];
    const last = told.slice(-12);
    return last.map(({ type, page, atMs }) => `${type} in page ${page} at ${atMs - told[0].atMs} ms`).join(', ');
  }

  take(reports) {
    for (const report of reports) {
      if (report.seq <= (this.#seen.get(report.page) ?? 0)) continue;
      this.#seen.set(report.page, report.seq);
      this.counts.reports++;
      const run = this.#run(report.run);
      run?.told.push(report);
      this[`_${report.type}`](report, run);
    }
  }

  #run(id) {
    if (id === undefined) return undefined;
    let run = this.runs.get(id);
    if (!run) this.runs.set(id, (run = { id, steps: new Map(), active: new Map(), told: [] }));
    return run;
  }

  _accepted({ kind, expected }, run) {
    run.accepted = true;
    run.kind = kind;
    run.expected = expected;
    this.counts.accepted++;
  }

  _refused() {
    this.counts.refused++;
  }

  _warning({ message }) {
    this.warnings.set(message, (this.warnings.get(message) ?? 0) + 1);
  }

  _attempt({ page, atMs, attempt }, run) {
    this.counts.attempts++;
    for (const end of ['completed', 'failed', 'cancelled', 'paused', 'removed']) {
      if (run[end]) this.violate('undead', run.id, `attempt ${attempt} after it was ${end}`);
    }
    for (const [other, sinceMs] of run.active) {
      const deadMs = this.#deaths.get(other) ?? Number.POSITIVE_INFINITY;
      if (atMs < deadMs)
        this.violate(
          'doubled',
          run.id,
          `attempt ${attempt} in page ${page} while page ${other} was at it since ${atMs - sinceMs} ms`,
        );
    }
    if (!this.#deaths.has(page)) run.active.set(page, atMs);
  }

  _attemptEnd({ page }, run) {
    run.active.delete(page);
  }

  _execute({ page, step }, run) {
    this.counts.executed++;
    const record = run.steps.get(step);
    if (record)
      this.violate('rerun', run.id, `step "${step}" in page ${page}; it had been recorded in page ${record.page}`);
  }

  _recorded({ page, step, value }, run) {
    const record = run.steps.get(step);
    if (!record) {
      this.counts.recorded++;
      run.steps.set(step, { page, value });
    } else if (record.value !== value)
      this.violate('changed', run.id, `step "${step}" was ${record.value}, is ${value}`);
  }

  _completed({ page, result, value }, run) {
    if (run.completed)
      this.violate(
        'twice',
        run.id,
        `in page ${run.completed.page} as ${run.completed.result}, in page ${page} as ${result}`,
      );
    else this.counts.completed++;
    run.completed ??= { page, result };
    if (run.accepted && value !== run.expected) this.violate('wrong', run.id, `${value} instead of ${run.expected}`);
  }

  _failed({ page, name, message }, run) {
    // Quarantined is no result: the person decides, and the harness has it retried.
    if (name === 'QuarantinedError') return;
    if (run.failed) this.violate('twice', run.id, `failed in page ${run.failed.page} and in page ${page}`);
    else this.counts.failed++;
    run.failed ??= { page };
    if (run.kind && run.kind !== 'doomed') this.violate('wrong', run.id, `${run.kind} failed: ${message}`);
  }

  _cancelled(_, run) {
    run.cancelled = true;
    this.counts.cancelled++;
  }
  _paused(_, run) {
    run.paused = true;
    this.counts.paused++;
  }
  _resuming(_, run) {
    run.paused = false;
  }
  _retrying(_, run) {
    run.failed = undefined;
  }
  _removed(_, run) {
    run.removed = true;
    this.counts.removed++;
  }

  /** What every living page together must know, as of now: id → what had been told of its end. */
  expectations() {
    const expected = new Map();
    for (const { id, accepted, removed, lost, completed, failed, cancelled, paused } of this.runs.values()) {
      // What is lost has been counted.
      if (accepted && !removed && !lost) expected.set(id, { completed, failed, cancelled, paused });
    }
    return expected;
  }

  /** Compares what the pages know with what was told before they were asked. */
  compare(expected, standings) {
    const found = new Map(standings.map((one) => [one.id, one]));
    for (const [id, told] of expected) {
      const run = this.runs.get(id);
      const standing = found.get(id);
      if (run.removed) continue;
      if (!standing) {
        this.violate('lost', id, `${run.kind}${told.completed ? ', completed' : ''}`);
        run.lost = true;
      } else this.#compareEnd(told, standing);
    }
  }

  #compareEnd(told, { id, status, phase }) {
    for (const end of ['completed', 'failed', 'cancelled', 'paused']) {
      // Released meanwhile, by the harness itself.
      const isOpen = (end === 'paused' || end === 'failed') && !this.runs.get(id)[end];
      if (told[end] && !isOpen && status !== end && !(end === 'paused' && isEnd(status)))
        this.violate('undone', id, `was ${end}, is ${status} (${phase})`);
    }
  }

  /** Results read back from the store. */
  compareResults(results) {
    for (const [id, line] of Object.entries(results)) {
      const run = this.runs.get(id);
      if (run.completed && run.completed.result !== line)
        this.violate('changed', id, `result was ${run.completed.result}, is ${line}`);
      const value = /^\{value: (\d+)/.exec(line)?.[1];
      if (run.expected !== undefined && Number(value) !== run.expected)
        this.violate('wrong', id, `${line} instead of ${run.expected}`);
    }
  }

  /** promise → how many. */
  totals() {
    const totals = Object.fromEntries(Object.keys(promises).map((name) => [name, 0]));
    for (const { promise } of this.violations) totals[promise]++;
    return totals;
  }
}
