import type { Command } from 'commander';
import { brokerPoolDelete, brokerPoolPut, storagePool } from '#contracts/broker/configuration.js';
import type { Cli } from '../../cli.js';
import { readDocument } from '../../input/document-file.js';

export function define(command: Command, cli: () => Cli): void {
  command
    .command('put')
    .description('declare a storage pool from a file, or change what was declared')
    .requiredOption('-f, --file <file>', 'YAML or JSON; - reads standard input')
    .action((options: { file: string }) => put(cli(), options.file));
  command
    .command('delete')
    .description(
      'take the declaration of a storage pool back that no unit and no volume is part of',
    )
    .argument('<name>')
    .action((name: string) => remove(cli(), name));
}

async function put(cli: Cli, file: string): Promise<void> {
  const pool = readDocument(file, storagePool, 'StoragePool');
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerPoolPut, { pool }));
  cli.answer(answer, (output) => output.line(`Storage pool ${pool.name} is declared.`));
}

async function remove(cli: Cli, name: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerPoolDelete, { name }));
  cli.answer(answer, (output) => output.line(`Storage pool ${name} is no longer declared.`));
}
