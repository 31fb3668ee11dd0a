import type { Command } from 'commander';
import { brokerGroupDelete, brokerGroupPut, unitGroup } from '#contracts/broker/configuration.js';
import type { Cli } from '../../cli.js';
import { readDocument } from '../../input/document-file.js';

export function define(command: Command, cli: () => Cli): void {
  command
    .command('put')
    .description('create a storage unit group from a file, or change the one of that name')
    .requiredOption('-f, --file <file>', 'YAML or JSON; - reads standard input')
    .action((options: { file: string }) => put(cli(), options.file));
  command
    .command('delete')
    .description('remove a storage unit group that nobody waits for; its units stay')
    .argument('<name>')
    .action((name: string) => remove(cli(), name));
}

async function put(cli: Cli, file: string): Promise<void> {
  const group = readDocument(file, unitGroup, 'StorageUnitGroup');
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerGroupPut, { group }));
  cli.answer(answer, (output) => output.line(`Storage unit group ${group.name} is set.`));
}

async function remove(cli: Cli, name: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerGroupDelete, { name }));
  cli.answer(answer, (output) => output.line(`Storage unit group ${name} is removed.`));
}
