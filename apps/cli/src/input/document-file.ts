import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { codeOf, InvalidInput, messageOf } from '#kernel/errors.js';
import { allowedFields } from './allowed-fields.js';

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads a YAML or JSON file (`-`: standard input) and checks it. Throws `InvalidInput` with the
 * place, `FILE:LINE:COLUMN`, and for a wrong field its name and what is allowed.
 */
export function readDocument<T extends z.ZodType>(file: string, schema: T): z.output<T> {
  return parseText({ name: file === '-' ? 'standard input' : file, text: read(file) }, schema);
}

export function parseText<T extends z.ZodType>(
  source: { readonly name: string; readonly text: string },
  schema: T,
): z.output<T> {
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new InvalidInput(`${source.name}:${line}:${col}: ${firstLine(broken.message)}.`);
  }
  const result = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (result.success) return result.data;
  const [issue, ...others] = result.error.issues;
  const { line, col } = lines.linePos(offsetOf(document, issue!));
  const field = fieldName(issue!.path);
  throw new InvalidInput(
    `${source.name}:${line}:${col}: ${field ? `${field}: ` : ''}${issueText(issue!, schema)}` +
      (others.length > 0 ? ` (and ${others.length} more)` : ''),
    field || undefined,
  );
}

function read(file: string): string {
  try {
    const bytes = readFileSync(file === '-' ? 0 : file);
    if (bytes.length > FILE_BYTES_MAX) throw new InvalidInput(`${file} is larger than 4 MiB.`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new InvalidInput(`Cannot read ${file}: ${reason}.`, 'file');
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0]!.replace(/[.:]\s*$/, '');
}

/** Where the field stands; for one that is missing, where the thing begins that should hold it. */
function offsetOf(document: Document, issue: z.core.$ZodIssue): number {
  const path =
    issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : [...issue.path];
  for (let length = path.length; length > 0; length--) {
    const key = keyOffset(document, path.slice(0, length));
    if (key !== undefined) return key;
  }
  return document.contents?.range?.[0] ?? 0;
}

function keyOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  const node: unknown = document.getIn(path, true);
  return hasRange(node) ? node.range[0] : undefined;
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

function issueText(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys.map((key) => `"${key}"`).join(', ');
    return `there is no field ${unknown}; allowed are ${allowedFields(schema, issue.path).join(', ')}`;
  }
  const missing = issue.code === 'invalid_type' && /received undefined/.test(issue.message);
  return missing ? `is missing (${issue.expected})` : issue.message;
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`,
    )
    .join('');
}
