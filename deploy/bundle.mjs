/**
 * Puts the built command line and what it loads into a few files, `dist/cli`: a third of the time of a short
 * command went into finding and opening 230 of them. `bin/holdfast` runs it from there. Where it cannot be made, the
 * command line runs as it was built.
 */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const FOLDER = join(DIST, 'cli');

/** `holdfast up` starts services, which are no part of this; `bin/holdfast` runs it as it was built. */
const withoutServices = {
  name: 'without-services',
  setup(build) {
    build.onResolve({ filter: /\/standalone\// }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
      external: true,
    }));
  },
};

/** Zod brings its messages in fifty languages, of which it uses one. */
const withoutLanguages = {
  name: 'without-languages',
  setup(build) {
    build.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

// What is left of an older build must not be run instead of this one.
rmSync(FOLDER, { recursive: true, force: true });
const esbuild = await import('esbuild').catch(() => undefined);
if (esbuild) await bundle(esbuild);
else console.error('esbuild is not installed (npm ci): holdfast starts a little slower.');

async function bundle({ build }) {
  await build({
    entryPoints: [join(DIST, 'apps/cli/src/main.js')],
    outdir: FOLDER,
    bundle: true,
    // A command loads its own part, and what it shares with others.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Names stay: errors are told by them.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    outExtension: { '.js': '.mjs' },
    // Of the packages that are CommonJS.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    plugins: [withoutServices, withoutLanguages],
    logLevel: 'warning',
  });
}
