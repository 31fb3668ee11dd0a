import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import { messageOf } from '#kernel/errors.js';
import { firstLine } from '../input/document-file.js';
import {
  offsetAt,
  placeOf,
  problemsOf,
  type Part,
  type Problem,
  type Source,
} from '../input/document-problems.js';
import type { Kind, Spec } from './kind.js';
import { KIND_NAMES, kindNamed } from './kind-table.js';

/** One thing that a file says there should be. */
export interface Manifest {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: Spec;
  /** `FILE:LINE:COLUMN`, where it begins. */
  readonly place: string;
}

export interface ParsedText {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/**
 * Reads the documents of a text: several with `---` in between, or lists of them. Finds every problem
 * of each; empty documents are nothing.
 */
export function parseManifests({ name, text }: { name: string; text: string }): ParsedText {
  const source: Source = { name, lines: new LineCounter() };
  const documents = parseAllDocuments(text, { lineCounter: source.lines, prettyErrors: false });
  const results = [...documents].map((document) => parseOne(document, source));
  return {
    manifests: results.flatMap(({ manifests }) => manifests),
    problems: results.flatMap(({ problems }) => problems),
  };
}

/** What is said twice, of all files together. */
export function duplicatesOf(manifests: readonly Manifest[]): Problem[] {
  const first = new Map<string, Manifest>();
  return manifests.flatMap((one) => {
    const key = `${one.kind.kind} "${one.name}"`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, one);
      return [];
    }
    return [{ text: `${one.place}: ${key} stands at ${other.place}, too`, field: 'name' }];
  });
}

function parseOne(document: Document.Parsed, source: Source): ParsedText {
  const broken = document.errors.map((error) =>
    problem(source, error.pos[0], firstLine(error.message)),
  );
  if (broken.length > 0) return { manifests: [], problems: broken };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return {
      manifests: [],
      problems: [problem(source, offsetAt({ document, path: [] }), messageOf(error))],
    };
  }
  if (value === null) return { manifests: [], problems: [] };
  const parts = Array.isArray(value)
    ? value.map((item: unknown, i) => ({ item, part: { document, path: [i] } }))
    : [{ item: value, part: { document, path: [] } }];
  const results = parts.map(({ item, part }) => parsePart(item, part, source));
  return {
    manifests: results.flatMap(({ manifests }) => manifests),
    problems: results.flatMap(({ problems }) => problems),
  };
}

function parsePart(value: unknown, part: Part, source: Source): ParsedText {
  const place = placeOf(source, offsetAt(part));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return failed({ text: `${place}: a document has a kind, a name and fields`, field: undefined });
  }
  const { kind: word, ...fields } = value as Record<string, unknown>;
  const kind = kindNamed(word);
  if (kind === undefined) {
    const at = placeOf(source, offsetAt(part, ['kind']));
    const what = word === undefined ? 'is missing; it is' : `there is no kind "${word}"; it is`;
    return failed({ text: `${at}: kind: ${what} ${listed(KIND_NAMES)}`, field: 'kind' });
  }
  const result = kind.schema.safeParse(fields);
  if (!result.success) {
    return {
      manifests: [],
      problems: problemsOf(result.error.issues, kind.schema, { source, part }),
    };
  }
  const spec = result.data;
  return { manifests: [{ kind, name: String(spec['name']), spec, place }], problems: [] };
}

function failed(one: Problem): ParsedText {
  return { manifests: [], problems: [one] };
}

function problem(source: Source, offset: number, text: string): Problem {
  return { text: `${placeOf(source, offset)}: ${text}`, field: undefined };
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
