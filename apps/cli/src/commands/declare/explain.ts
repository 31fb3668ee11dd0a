import type { Command } from 'commander';
import type { Cli } from '../../cli.js';
import { explain, type Explanation } from '../../kinds/explanation.js';
import { KINDS } from '../../kinds/kind-table.js';
import type { Output } from '../../output/output.js';
import { fieldLines } from '../../output/table.js';

const LINE_LENGTH_MAX = 100;

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('[path]', 'policy, policy.schedules.frequency ... (default: all kinds)')
    .option('--recursive', 'with the fields of fields')
    .action((path: string | undefined, { recursive = false }: { recursive?: boolean }) =>
      show(cli(), path, recursive),
    );
}

/** Asks no cluster: the schema is the same here and there. */
function show(cli: Cli, path: string | undefined, recursive: boolean): void {
  if (path === undefined) return showKinds(cli);
  const explanation = explain(path);
  cli.answer(recursive ? explanation : withoutDepth(explanation), (output) => {
    const { type, required, default: standard, allowed, description, fields } = explanation;
    output.lines(
      fieldLines([
        ['Field', explanation.path],
        ['Type', type],
        ['Required', required ? 'yes' : 'no'],
        ...(standard === undefined ? [] : [['Default', JSON.stringify(standard)] as const]),
        ['Allowed', allowed],
        ['What', description],
      ]),
    );
    if (fields.length > 0) output.line('\nFields:');
    showFields(output, fields, { recursive, indent: 2 });
  });
}

function showKinds(cli: Cli): void {
  const kinds = KINDS.map(({ kind, words, summary }) => ({ kind, words, summary }));
  cli.answer({ kinds }, (output) => {
    output.table(
      [
        { title: 'KIND', cell: ({ kind }) => kind },
        { title: 'ALSO', cell: ({ words }) => words.join(', ') },
        { title: 'WHAT', cell: ({ summary }) => summary },
      ],
      kinds,
    );
  });
}

function showFields(
  output: Output,
  fields: readonly Explanation[],
  { recursive, indent }: { recursive: boolean; indent: number },
): void {
  const space = ' '.repeat(indent);
  for (const field of fields) {
    const name = field.path.slice(field.path.lastIndexOf('.') + 1);
    const standard =
      field.default === undefined ? '' : `, default ${JSON.stringify(field.default)}`;
    output.line(`${space}${name}  <${field.type}${field.required ? ', required' : ''}${standard}>`);
    const text = [field.description, ...(field.isChoice ? [field.allowed] : [])].join('; ');
    for (const line of wrapped(text, LINE_LENGTH_MAX - indent - 4)) {
      output.line(`${space}    ${line}`);
    }
    if (recursive) showFields(output, field.fields, { recursive, indent: indent + 4 });
  }
}

function withoutDepth({ fields, ...rest }: Explanation) {
  return { ...rest, fields: fields.map(({ fields: _deeper, ...one }) => one) };
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
