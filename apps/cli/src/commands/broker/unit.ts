import type { Command } from 'commander';
import { brokerUnitDelete, brokerUnitPut, storageUnit } from '#contracts/broker.js';
import type { Cli } from '../../cli.js';
import { readDocument } from '../../input/document-file.js';

export function define(command: Command, cli: () => Cli): void {
  command
    .command('put')
    .description('create a storage unit from a file, or change the one of that name')
    .requiredOption('-f, --file <file>', 'YAML or JSON; - reads standard input')
    .action((options: { file: string }) => put(cli(), options.file));
  command
    .command('delete')
    .description('remove a storage unit that nothing uses; its images stay')
    .argument('<name>')
    .action((name: string) => remove(cli(), name));
}

async function put(cli: Cli, file: string): Promise<void> {
  const unit = readDocument(file, storageUnit, 'StorageUnit');
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerUnitPut, { unit }));
  cli.answer(answer, (output) => output.line(`Storage unit ${unit.name} is set.`));
}

async function remove(cli: Cli, name: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerUnitDelete, { name }));
  cli.answer(answer, (output) => output.line(`Storage unit ${name} is removed.`));
}
