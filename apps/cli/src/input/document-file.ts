import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { codeOf, InvalidInput, messageOf } from '#kernel/errors.js';
import { placeOf, problemsOf } from './document-problems.js';

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads a YAML or JSON file (`-`: standard input) and checks it. Throws `InvalidInput` with the
 * place, `FILE:LINE:COLUMN`, and for a wrong field its name and what is allowed. The file may say
 * that it is a `kind`, as files for `apply` do.
 */
export function readDocument<T extends z.ZodType>(
  file: string,
  schema: T,
  kind: string,
): z.output<T> {
  return parseText({ name: sourceName(file), text: readText(file) }, schema, kind);
}

export function parseText<T extends z.ZodType>(
  { name, text }: { readonly name: string; readonly text: string },
  schema: T,
  kind: string,
): z.output<T> {
  const source = { name, lines: new LineCounter() };
  const document = parseDocument(text, { lineCounter: source.lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    throw new InvalidInput(`${placeOf(source, broken.pos[0])}: ${firstLine(broken.message)}.`);
  }
  const result = schema.safeParse(withoutKind(document.toJS({ maxAliasCount: 100 }), kind));
  if (result.success) return result.data;
  const [first, ...others] = problemsOf(result.error.issues, schema, {
    source,
    part: { document, path: [] },
  });
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  throw new InvalidInput(first!.text + more, first!.field);
}

export function sourceName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** Throws `InvalidInput` for a file that is not there, can't be read, is no UTF-8 or larger than 4 MiB. */
export function readText(file: string): string {
  try {
    const bytes = readFileSync(file === '-' ? 0 : file);
    if (bytes.length > FILE_BYTES_MAX) throw new InvalidInput(`${file} is larger than 4 MiB.`);
    // What is none would become other characters, and a path another path.
    if (!isUtf8(bytes)) throw new InvalidInput(`${sourceName(file)} is no UTF-8 text.`, 'file');
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): InvalidInput {
  const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
  return new InvalidInput(`Cannot read ${file}: ${reason}.`, 'file');
}

export function firstLine(message: string): string {
  return message.split('\n')[0]!.replace(/[.:]\s*$/, '');
}

function withoutKind(value: unknown, kind: string): unknown {
  if (typeof value !== 'object' || value === null || Reflect.get(value, 'kind') !== kind) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'kind'));
}
