/**
 * Puts what is started often into few files, since a third to a half of the time of a start goes into finding and opening
 * many: the built command line into `dist/cli`, from where `bin/holdfast` runs it, and each thread that a backup or a
 * restore starts (`*.worker.ts`) in the place of the file that the compiler has made of it. Where that cannot be done, all
 * runs as it was built.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(CHECKOUT, 'dist');
const FOLDER = join(DIST, 'cli');

/** For packages that are CommonJS. */
const BANNER =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);";

/** Native code is found by its own packages. */
const NATIVE = ['koffi', '@napi-rs/*', '@mongodb-js/*'];

const COMMON = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay: errors are told by them.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  banner: { js: BANNER },
  logLevel: 'warning',
};

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

/** Where the compiler puts what it makes of a source. */
const compiled = (source) => join(DIST, relative(CHECKOUT, source)).replace(/\.ts$/, '.js');

/** What a module finds by its own place, such as a further thread, lies there as seen from the file that it is now in. */
const fromItsPlace = (file) => ({
  name: 'from-its-place',
  setup(build) {
    const urlOf = (module) =>
      `new URL(${JSON.stringify(relative(dirname(file), module))}, import.meta.url).href`;
    const moved = (path, module) =>
      readFileSync(path, 'utf8').replaceAll('import.meta.url', urlOf(module));
    build.onLoad({ filter: /\/apps\/.*\.ts$/ }, ({ path }) => {
      return { contents: moved(path, compiled(path)), loader: 'ts' };
    });
    build.onLoad({ filter: /\/dist\/libs\/.*\.js$/ }, ({ path }) => {
      return { contents: moved(path, path) };
    });
  },
});

// What is left of an older build must not be run instead of this one.
rmSync(FOLDER, { recursive: true, force: true });
const esbuild = await import('esbuild').catch(() => undefined);
if (esbuild) await Promise.all([bundleCommands(esbuild), ...threads().map(bundleThread(esbuild))]);
else console.error('esbuild is not installed (npm ci): holdfast starts a little slower.');

async function bundleCommands({ build }) {
  await build({
    ...COMMON,
    entryPoints: [join(DIST, 'apps/cli/src/main.js')],
    outdir: FOLDER,
    // A command loads its own part, and what it shares with others.
    splitting: true,
    outExtension: { '.js': '.mjs' },
    plugins: [withoutServices, withoutLanguages],
  });
}

/**
 * From the sources: the compiler writes only what has changed, so what lies in its place may be made of older ones.
 */
function threads() {
  const apps = join(CHECKOUT, 'apps');
  return readdirSync(apps, { recursive: true })
    .filter((name) => name.endsWith('.worker.ts'))
    .map((name) => join(apps, name));
}

function bundleThread({ build }) {
  return (source) => {
    const file = compiled(source);
    return build({
      ...COMMON,
      entryPoints: [source],
      outfile: file,
      external: NATIVE,
      plugins: [fromItsPlace(file)],
    });
  };
}
