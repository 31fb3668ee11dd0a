import type { Document, LineCounter } from 'yaml';
import type { z } from 'zod';
import { allowedAt, allowedFields } from './allowed-fields.js';

/** Where something stands: a file or standard input, and the counter of its lines. */
export interface Source {
  readonly name: string;
  readonly lines: LineCounter;
}

export interface Problem {
  /** `FILE:LINE:COLUMN: field: what is allowed`. */
  readonly text: string;
  readonly field: string | undefined;
}

/** Which part of a YAML document a value is: the whole, or an element of the list that it is. */
export interface Part {
  readonly document: Document;
  readonly path: readonly PropertyKey[];
}

/** `FILE:LINE:COLUMN`. */
export function placeOf({ name, lines }: Source, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${name}:${line}:${col}`;
}

/** Everything that a schema has against a part of a document, in its order. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  { source, part }: { source: Source; part: Part },
): Problem[] {
  return issues.map((issue) => {
    const field = fieldName(issue.path);
    const place = placeOf(source, offsetOf(part, issue));
    return {
      text: `${place}: ${field ? `${field}: ` : ''}${issueText(issue, schema)}`,
      field: field || undefined,
    };
  });
}

/** Where a field stands; for one that is missing, where the thing begins that should hold it. */
export function offsetAt({ document, path }: Part, below: readonly PropertyKey[] = []): number {
  const whole = [...path, ...below];
  for (let length = whole.length; length > 0; length--) {
    const node: unknown = document.getIn(whole.slice(0, length), true);
    if (hasRange(node)) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function offsetOf(part: Part, issue: z.core.$ZodIssue): number {
  return issue.code === 'unrecognized_keys'
    ? offsetAt(part, [...issue.path, issue.keys[0] ?? ''])
    : offsetAt(part, issue.path);
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

function issueText(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys.map((key) => `"${key}"`).join(', ');
    return `there is no field ${unknown}; allowed are ${allowedFields(schema, issue.path).join(', ')}`;
  }
  if (issue.code === 'invalid_type' && /received undefined/.test(issue.message)) {
    return `is missing (${issue.expected})`;
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const allowed = allowedAt(schema, issue.path);
    if (allowed !== undefined) return `is not allowed; it is ${allowed}`;
  }
  return issue.message;
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`,
    )
    .join('');
}
