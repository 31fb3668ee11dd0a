import { mkdirSync } from 'node:fs';
import { messageOf } from '#kernel/errors.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { dueBench } from './due-bench.js';
import { Bacula, hasBacula } from './bacula/bacula.js';
import { longQueue } from './jobs/long-queue.js';
import { TinyJobs } from './jobs/tiny-jobs.js';
import { atLeastTimes, atMost, measurement, median, type Measurement } from './measurement.js';

const JOBS = 200;
const AT_ONCE = 10;
const ROUNDS = 3;
const ALONE_ROUNDS = 5;

interface Figures {
  readonly jobsPerSecond: number;
  readonly aloneSeconds: number;
}

/**
 * How fast many small jobs go, and one alone, beside Bacula, where it is installed; what a long queue costs,
 * and a long due list.
 */
export async function jobsBench(): Promise<Measurement[]> {
  const tiny = await TinyJobs.start(JOBS, AT_ONCE);
  try {
    const ours = await measure(tiny.folders, (folders) => tiny.run(folders));
    const bacula = hasBacula() ? await baculaFigures(tiny.folders).catch(leftOut) : undefined;
    return [
      measurement(
        {
          measure: `${JOBS} jobs of one 1 KB file, ${AT_ONCE} at a time`,
          unit: 'jobs/s',
          ours: ours.jobsPerSecond,
          ...(bacula && { peers: { Bacula: bacula.jobsPerSecond } }),
        },
        atLeastTimes(5),
      ),
      measurement(
        {
          measure: 'one such job alone, from submit to done',
          unit: 's',
          ours: ours.aloneSeconds,
          ...(bacula && { peers: { Bacula: bacula.aloneSeconds } }),
        },
        atMost(0.2, 's'),
      ),
      ...(await longQueue(tiny)),
      ...(await dueBench()),
    ];
  } finally {
    await tiny.stop();
  }
}

/** What fails in a peer says nothing of ours. */
function leftOut(error: unknown): undefined {
  console.error(`Bacula is left out: ${messageOf(error)}`);
}

async function measure(
  names: readonly string[],
  run: (names: readonly string[]) => Promise<number>,
): Promise<Figures> {
  // Neither has just been started, where it is used: code is compiled and caches are filled.
  await run(names);
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(names.length / (await run(names)));
  const alone: number[] = [];
  for (let round = 0; round < ALONE_ROUNDS; round += 1) alone.push(await run(names.slice(0, 1)));
  return { jobsPerSecond: median(rounds), aloneSeconds: median(alone) };
}

async function baculaFigures(folders: readonly string[]): Promise<Figures> {
  const folder = await temporaryFolder();
  mkdirSync(`${folder}/bacula`);
  const jobs = folders.map((each, n) => ({ name: `tiny${n}`, folder: each }));
  const bacula = await Bacula.start({ folder: `${folder}/bacula`, jobs, jobsAtOnceMax: AT_ONCE });
  try {
    const names = jobs.map(({ name }) => name);
    return await measure(names, (some) => bacula.run(some));
  } finally {
    await bacula.stop();
    await removeFolder(folder);
  }
}
