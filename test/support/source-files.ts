import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** One TypeScript file of the checkout. */
export interface SourceFile {
  /** From the checkout: `apps/catalog/src/main.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments, so that words in them are not taken for code. */
  readonly code: string;
  readonly isTest: boolean;
  /** As written: `#kernel/errors.js`, `./main.js`, `node:fs`. */
  readonly imports: readonly string[];
}

/** All TypeScript files below `apps`, `libs` and `test`, by path. */
export function readSourceFiles(checkout: string): SourceFile[] {
  return ['apps', 'libs', 'test']
    .flatMap((top) => listTypeScript(join(checkout, top)))
    .map((file) => toSourceFile(relative(checkout, file), readFileSync(file, 'utf8')))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The file of ours that an import means; `undefined` for Node's modules and packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  const library = /^#(\w+)\/(.*)\.js$/.exec(specifier);
  if (library) {
    return `libs/${library[1]}/src/${library[2]}.ts`;
  }
  return specifier.startsWith('.')
    ? relative(resolve('.'), resolve(dirname(from), specifier)).replace(/\.js$/, '.ts')
    : undefined;
}

/** `apps/catalog`, `libs/kernel`, `test`. */
export function ownerOf(path: string): string {
  const [top = '', name = ''] = path.split('/');
  return top === 'test' ? top : `${top}/${name}`;
}

/** Every file that loading `path` loads, itself included. Types are not loaded. */
export function loadedBy(path: string, files: ReadonlyMap<string, SourceFile>): SourceFile[] {
  const seen = new Set<string>();
  const waiting = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const file = files.get(next);
    if (file === undefined || seen.has(next)) {
      continue;
    }
    seen.add(next);
    waiting.push(...staticImports(file.code).flatMap((name) => resolveImport(next, name) ?? []));
  }
  return [...seen].flatMap((each) => files.get(each) ?? []);
}

/** What is imported when the file loads: no types, and nothing that is loaded later. */
export function staticImports(code: string): string[] {
  const statements = code.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?\bfrom\s+'([^']+)'/gm);
  const bare = code.matchAll(/^import\s+'([^']+)'/gm);
  return [...statements, ...bare].flatMap(([whole, name]) =>
    name === undefined || onlyTypes(whole) ? [] : [name],
  );
}

/** `import { type A, type B } from`: TypeScript leaves nothing of it. */
function onlyTypes(statement: string): boolean {
  const names = /\{([^}]*)\}\s*from/.exec(statement)?.[1];
  const listed = (names ?? '').split(',').filter((name) => name.trim() !== '');
  return listed.length > 0 && listed.every((name) => name.trim().startsWith('type '));
}

function toSourceFile(path: string, text: string): SourceFile {
  const code = text.replace(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  const found = code.matchAll(/(?:\bfrom|^import|\bimport\()\s*'([^']+)'/gm);
  return {
    path,
    text,
    code,
    isTest: /\.spec\.ts$|^test\/|\/testing\//.test(path),
    imports: [...found].flatMap(([, name]) => name ?? []),
  };
}

function listTypeScript(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return listTypeScript(path);
    }
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}
