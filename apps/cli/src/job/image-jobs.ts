import { uuidv7 } from '#kernel/ids.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT } from '../exit-codes.js';
import { imageIdOf } from '../input/image-id.js';
import { sayThatItGoesOn, waitForJob } from './wait-for-job.js';

export interface ImageJobs<Request> {
  /** As they were named. */
  readonly images: readonly string[];
  readonly wait: boolean;
  /** Checked: it throws for bad input. */
  readonly request: (of: { readonly imageId: string; readonly requestId: string }) => Request;
  readonly submit: (cluster: Cluster, request: Request) => Promise<{ job: number }>;
}

/**
 * Submits a job for each image that is named, each once, and waits for all of them; they run side by side. Bad input is
 * refused before anything is submitted. The exit code is that of the job that ended worst.
 */
export async function runImageJobs<Request>(
  cli: Cli,
  { images, wait, request, submit }: ImageJobs<Request>,
): Promise<void> {
  const imageIds = [...new Set(images.map(imageIdOf))];
  const requests = imageIds.map((imageId) => request({ imageId, requestId: uuidv7(cli.now()) }));
  await cli.withCluster(async (cluster) => {
    const jobs: number[] = [];
    for (const one of requests) jobs.push((await submit(cluster, one)).job);
    if (wait) await waitForEach(cli, cluster, jobs);
    else sayThatTheyAreSubmitted(cli, jobs);
  });
}

/** In the order in which they were named. Who is interrupted leaves all of them running. */
async function waitForEach(cli: Cli, cluster: Cluster, jobs: readonly number[]): Promise<void> {
  let worst = cli.exitCode;
  for (const [index, job] of jobs.entries()) {
    await waitForJob(cli, cluster, { job, onInterrupt: 'detach' });
    worst = Math.max(worst, cli.exitCode);
    if (cli.exitCode !== EXIT.interrupted) continue;
    for (const other of jobs.slice(index + 1)) sayThatItGoesOn(cli, other);
    break;
  }
  cli.exitCode = worst;
}

/** `--json`: a document for one job, a line for each of several. */
function sayThatTheyAreSubmitted(cli: Cli, jobs: readonly number[]): void {
  for (const job of jobs) {
    if (cli.output.json && jobs.length > 1) {
      cli.output.record({ job });
      continue;
    }
    cli.answer({ job }, (output) => {
      output.line(`Job ${job} is submitted. Watch it with: holdfast jobs watch ${job}`);
    });
  }
}
