import type { Command } from 'commander';
import { brokerLimitPut } from '#contracts/broker/configuration.js';
import type { Cli } from '../../cli.js';
import { wholeNumber } from '../../input/numbers.js';

export function define(command: Command, cli: () => Cli): void {
  const jobsMax = wholeNumber('jobs', 1, 1_000);
  command
    .command('put')
    .description('set how many backups of a client may run at once')
    .argument('<client>')
    .argument('<jobs>', 'from 1 to 1000, or "default"', (text: string) =>
      text === 'default' ? null : jobsMax(text),
    )
    .action((client: string, jobs: number | null) => put(cli(), client, jobs));
}

async function put(cli: Cli, client: string, jobsMax: number | null): Promise<void> {
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(brokerLimitPut, { client, jobsMax }),
  );
  const backups = answer.jobsMax === 1 ? '1 backup' : `${answer.jobsMax} backups`;
  const why = jobsMax === null ? ', as the default says' : '';
  cli.answer(answer, (output) => output.line(`Client ${client} may run ${backups} at once${why}.`));
}
