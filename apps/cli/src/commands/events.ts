import type { Command } from 'commander';
import type { CloudEvent } from '#contracts/event.js';
import type { Cli } from '../cli.js';
import { eventSubject, readEvents } from '../cluster/event-feed.js';
import { EXIT } from '../exit-codes.js';
import { parseTime } from '../input/time.js';
import { eventLine } from '../output/event-line.js';

interface EventsOptions {
  readonly follow?: true;
  readonly since?: string;
}

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('[filter]', 'job, job.done, "job.*.7", image ... (default: all)')
    .option('--follow', 'go on with what happens, until ctrl-C')
    .option('--since <time>', 'from then on (default: 1h ago; with --follow: now)')
    .action((filter: string | undefined, options: EventsOptions) => events(cli(), filter, options));
}

async function events(cli: Cli, filter: string | undefined, options: EventsOptions): Promise<void> {
  const follow = options.follow ?? false;
  const subject = eventSubject(filter);
  const since = parseTime(options.since ?? (follow ? 'now' : '1h ago'), cli.now());
  const stop = new AbortController();
  const off = cli.world.onInterrupt(() => {
    stop.abort();
    cli.exitCode = EXIT.interrupted;
  });
  const print = (event: CloudEvent) =>
    cli.output.json ? cli.output.record(event) : cli.output.line(eventLine(event));
  try {
    await cli.withCluster((cluster) =>
      readEvents(cluster, { subject, since, follow, signal: stop.signal }, print),
    );
  } finally {
    off();
  }
}
