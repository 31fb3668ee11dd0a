import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { transform } from '@swc/core';

const root = new URL('../../../../../', import.meta.url);

/** `#lib/x.js` and `./x.js` lead to the TypeScript beside which they will stand when built. */
export async function resolve(specifier, context, next) {
  const library = /^#(\w+)\/(.*)\.js$/.exec(specifier);
  const target = library
    ? new URL(`libs/${library[1]}/src/${library[2]}.ts`, root)
    : specifier.startsWith('.') && context.parentURL?.endsWith('.ts')
      ? new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL)
      : undefined;
  if (!target || !existsSync(target)) return next(specifier, context);
  return { url: pathToFileURL(fileURLToPath(target)).href, shortCircuit: true, format: 'module' };
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const source = await readFile(new URL(url), 'utf8');
  const { code } = await transform(source, {
    filename: fileURLToPath(url),
    sourceMaps: 'inline',
    jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
    module: { type: 'es6' },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
