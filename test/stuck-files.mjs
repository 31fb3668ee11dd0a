/**
 * A Jest reporter: ends the whole run when a test file has run for `MINUTES_MAX`, and names it. Jest's own
 * time limit is kept by the process that runs the test, which cannot do that while it waits in one call
 * of the system or runs in a circle.
 */
import { readFileSync, writeSync } from 'node:fs';

/** The longest file takes five minutes on a slow machine; its single tests may ask for 15. */
const MINUTES_MAX = 25;

export default class StuckFiles {
  #timers = new Map();

  onTestFileStart({ path }) {
    const timer = setTimeout(() => endAll(path), MINUTES_MAX * 60_000);
    timer.unref();
    this.#timers.set(path, timer);
  }

  onTestFileResult({ path }) {
    clearTimeout(this.#timers.get(path));
    this.#timers.delete(path);
  }
}

function endAll(path) {
  // Not by `console`: Jest holds back what it is given for a moment, and there is none.
  writeSync(
    2,
    `\n${path} has run for ${MINUTES_MAX} minutes and does not end: the run is given up.\n`,
  );
  const workers = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  for (const pid of workers.split(' ').filter(Boolean)) {
    process.kill(Number(pid), 'SIGKILL');
  }
  process.exit(1);
}
