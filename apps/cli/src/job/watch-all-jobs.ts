import { cloudEvent } from '#contracts/event.js';
import { jobView, type JobView } from '#contracts/job.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT } from '../exit-codes.js';
import { printable } from '../output/printable.js';
import { formatFiles, formatSize } from '../output/size.js';
import { formatClock } from '../output/time.js';

/** Prints a line for each step of each job until ctrl-C; with `--json` the jobs themselves. */
export async function watchAllJobs(cli: Cli, cluster: Cluster): Promise<void> {
  const unsubscribe = await cluster.onEvent('hf.evt.v1.job.>', (event) => {
    const envelope = cloudEvent.safeParse(event);
    const view = jobView.safeParse(envelope.data?.data);
    if (!view.success) return;
    if (cli.output.json) cli.output.record({ type: 'progress', job: view.data });
    else cli.output.line(`${formatClock(cli.now())}  ${jobLine(view.data)}`);
  });
  cli.output.remark('Watching all jobs. Stop with ctrl-C.');
  await new Promise<void>((resolve) => cli.world.onInterrupt(resolve));
  unsubscribe();
  cli.exitCode = EXIT.interrupted;
}

/** `job 7  backup web1  active  12 files, 3.4 MiB  /etc/passwd`. */
export function jobLine(job: JobView): string {
  const name = `job ${job.job}  ${job.type} ${job.client}`;
  const { files, bytes, currentPath } = job.progress;
  const figures = `${formatFiles(files)}, ${formatSize(bytes)}`;
  switch (job.state) {
    case 'queued':
      return printable(`${name}  queued  ${job.operation}`).trimEnd();
    case 'waiting-for-retry':
    case 'suspended':
    case 'incomplete':
      return printable(`${name}  ${job.state}  ${figures}  ${job.message}`).trimEnd();
    case 'active':
      return printable(`${name}  active  ${figures}  ${currentPath || job.operation}`).trimEnd();
    case 'done':
      return printable(`${name}  done  ${figures}  status ${job.status}, ${job.statusText}`);
    default:
      return job.state satisfies never;
  }
}
