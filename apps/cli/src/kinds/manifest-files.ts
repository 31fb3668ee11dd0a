import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidInput } from '#kernel/errors.js';
import { readText, sourceName, unreadable } from '../input/document-file.js';
import { duplicatesOf, parseManifests, type Manifest } from './manifests.js';

const FILES_MAX = 1_000;
const FOLDER_LEVELS_MAX = 16;
const BYTES_MAX = 64 * 1024 * 1024;
const MANIFESTS_MAX = 10_000;
const PROBLEMS_SHOWN_MAX = 50;

/**
 * Reads files (`-`: standard input) and folders, these with all that is below, in the order of names.
 * Throws `InvalidInput` with every problem of all of them, a line each.
 */
export function readManifests(paths: readonly string[]): Manifest[] {
  const files = paths.flatMap((path) => (path === '-' ? ['-'] : filesOf(path)));
  if (files.length > FILES_MAX) throw tooMuch(`${files.length} files`, `${FILES_MAX}`);
  let bytes = 0;
  const results = files.map((file) => {
    const text = readText(file);
    bytes += text.length;
    if (bytes > BYTES_MAX) throw tooMuch('More than 64 MiB', '64 MiB');
    return parseManifests({ name: sourceName(file), text });
  });
  const manifests = results.flatMap((one) => one.manifests);
  const problems = [...results.flatMap((one) => one.problems), ...duplicatesOf(manifests)];
  if (problems.length > 0) {
    const more = problems.length - PROBLEMS_SHOWN_MAX;
    const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ text }) => text);
    if (more > 0) lines.push(`... and ${more} more`);
    throw new InvalidInput(lines.join('\n'), problems[0]!.field);
  }
  if (manifests.length > MANIFESTS_MAX) {
    throw tooMuch(`${manifests.length} documents`, `${MANIFESTS_MAX}`);
  }
  if (manifests.length > 0) return manifests;
  throw new InvalidInput(`There is no document in ${paths.join(', ')}.`, 'file');
}

function filesOf(path: string, level = 0): string[] {
  if (!isFolder(path)) return [path];
  if (level > FOLDER_LEVELS_MAX)
    throw tooMuch(`${path} is too deep`, `${FOLDER_LEVELS_MAX} levels`);
  return entriesOf(path).flatMap((entry) => {
    const below = join(path, entry.name);
    // A link to a folder may lead back up; one to a file is a file.
    if (entry.isDirectory()) return filesOf(below, level + 1);
    return /\.(ya?ml|json)$/i.test(entry.name) && !isFolder(below) ? [below] : [];
  });
}

/** Not those whose names begin with a dot: editors and version control keep their own there. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw unreadable(folder, error);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function tooMuch(what: string, limit: string): InvalidInput {
  return new InvalidInput(`${what}: at most ${limit} at a time. Apply them in parts.`, 'file');
}
