import { readFileSync } from 'node:fs';

import { expect, it } from '@jest/globals';

import { excludeTest } from '../apps/agent/src/domain/excludes.js';
import { checkoutFolder } from '../apps/standalone/src/servers/checkout-folder.js';

const text = readFileSync(`${checkoutFolder()}/docs/formats.md`, 'utf8');
const section = text.slice(text.indexOf('## Exclude patterns'), text.indexOf('## Archive order'));
const rows = [...section.matchAll(/^\| (`.*`) \| `(.*)` \| (in|out) \|$/gm)].map(
  ([, patterns, path, is]) => ({
    patterns: patterns!.split(' ').map((code) => code.slice(1, -1)),
    path: path!,
    is: is!,
  }),
);

/** As the walk asks: about each folder on the way, and not about what lies in one that is out. */
function isOut(patterns: readonly string[], path: string): boolean {
  const test = excludeTest(patterns);
  if (path === '/') return test('/', '', true);
  const names = path.split('/').filter((name) => name !== '');
  return names.some((name, at) => {
    const isFolder = at < names.length - 1 || path.endsWith('/');
    return test(`/${names.slice(0, at + 1).join('/')}`, name, isFolder);
  });
}

it('docs/formats.md has a table of excludes', () => {
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.length).toBe(section.match(/^\| `/gm)?.length);
});

it.each(rows)('$patterns has $path $is', ({ patterns, path, is }) => {
  expect(isOut(patterns, path) ? 'out' : 'in').toBe(is);
});
