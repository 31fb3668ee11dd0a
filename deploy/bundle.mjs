/**
 * Puts what is started often into one file each, since a third to a half of the time of a start goes into finding and
 * opening many: the built command line into `dist/cli`, from where `bin/holdfast` runs it, with what V8 compiles of it
 * beside it; and each thread that a backup or a restore starts (`*.worker.ts`) in the place of the file that the compiler
 * has made of it. Where that cannot be done, all runs as it was built.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(CHECKOUT, 'dist');
const FOLDER = join(DIST, 'cli');

/** For packages that are CommonJS, in a module that is not. */
const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);";

/** For modules that look for files by their own place, in a file that is CommonJS. */
const PLACE = "const placeOfBundle = require('node:url').pathToFileURL(__filename).href;";

/** How a command ends that finds no cluster (docs/cli.md). */
const NOT_RUNNING = 69;

/** Native code is found by its own packages. */
const NATIVE = ['koffi', '@napi-rs/*', '@mongodb-js/*'];

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  // Names stay: errors are told by them.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** `holdfast up` starts services, which are no part of this; `bin/holdfast` runs it as it was built. */
const withoutServices = {
  name: 'without-services',
  setup(build) {
    build.onResolve({ filter: /\/standalone\/src\/up\.js$/ }, ({ path, resolveDir }) => ({
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
  const file = join(FOLDER, 'holdfast.cjs');
  await build({
    ...COMMON,
    format: 'cjs',
    entryPoints: [join(DIST, 'apps/cli/src/main.js')],
    outfile: file,
    banner: { js: PLACE },
    define: { 'import.meta.url': 'placeOfBundle' },
    plugins: [withoutServices, withoutLanguages],
  });
  compile(file);
}

/**
 * By a command that finds no cluster: on its way there it runs through most of what every command starts with, and what V8
 * has run is what it keeps.
 */
function compile(file) {
  const empty = mkdtempSync(join(tmpdir(), 'holdfast-build-'));
  const keep = `require(${JSON.stringify(join(CHECKOUT, 'bin/run-bundle.js'))}).keepCompiled(${JSON.stringify(file)})`;
  const args = ['--eval', keep, '--', 'holdfast', 'jobs', '--data', empty];
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  rmSync(empty, { recursive: true });
  if (status !== NOT_RUNNING)
    console.error(`holdfast starts a little slower: it did not compile: ${stderr}`);
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
      format: 'esm',
      entryPoints: [source],
      outfile: file,
      banner: { js: REQUIRE },
      external: NATIVE,
      plugins: [fromItsPlace(file)],
    });
  };
}
