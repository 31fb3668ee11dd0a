import { describe, expect, it } from '@jest/globals';

import { checkoutFolder } from '../apps/standalone/src/servers/checkout-folder.js';
import { loadedBy, ownerOf, readSourceFiles, resolveImport } from './support/source-files.js';

/** Which library may import which of ours. docs/ARCHITECTURE.md says why. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  'libs/kernel': [],
  'libs/contracts': ['libs/kernel'],
  'libs/messaging': ['libs/kernel', 'libs/contracts'],
  'libs/outbox': ['libs/kernel', 'libs/contracts', 'libs/messaging'],
  'libs/archive': ['libs/kernel'],
  'libs/storage': ['libs/kernel', 'libs/archive'],
  'libs/transfer': ['libs/kernel', 'libs/archive'],
  'libs/service': ['libs/kernel', 'libs/contracts', 'libs/messaging', 'libs/outbox'],
};

/**
 * An app never imports another app, but for these: `standalone` composes all services, and
 * `holdfast up` of the command line starts it.
 */
const APPS: Readonly<Record<string, readonly string[] | 'all'>> = {
  'apps/standalone': 'all',
  'apps/cli': ['apps/standalone'],
};

/** Only these decide and compute: no frameworks, no input and output. */
const PURE_FOLDERS = /^libs\/(kernel|contracts|archive)\/src\/|^apps\/\w+\/src\/domain\//;
const IMPURE = /^(@nestjs\/|@nats-io\/|typeorm|pg|pg-copy-streams|rxjs|node:(fs|net|tls|http)\b)/;

/**
 * A service that hears nothing replays; it never deletes. So every call that could remove or replace
 * something on a volume stands here, with the reason why it is no fragment of anybody's.
 */
const REMOVALS: Readonly<Record<string, { calls: readonly string[]; why: string }>> = {
  'libs/storage/src/journal/journal-files.ts': {
    calls: ['rm', 'truncate', 'rename', "'w'", "'r+'"],
    why: 'cuts an unfinished record, which nobody was told of, off the end of the journal; replaces its snapshot whole; clears what it has begun of a segment or snapshot itself',
  },
  'libs/storage/src/journal/process-lock.ts': {
    calls: ["'r+'"],
    why: 'says in its own lock file that nobody holds it any more',
  },
  'libs/storage/src/directory/open-direct.ts': {
    calls: ['O_WRONLY'],
    why: 'opens once more the file that its caller has just made and still writes',
  },
  'libs/storage/src/directory/append-file.ts': {
    calls: ['copyFile'],
    why: 'fills the new file that it has just made itself',
  },
  'libs/storage/src/directory/directory-fragment-writer.ts': {
    calls: ['rename', 'rm'],
    why: 'gives a finished file its final name; the id in it is new; takes back the partial files that it has made itself in this very process, of which nobody was told since their seal was not begun',
  },
  'libs/storage/src/directory/durable-folders.ts': {
    calls: ['rmdir'],
    why: 'removes folders in which nothing is: the system refuses any other',
  },
  'libs/storage/src/directory/directory-trash.ts': {
    calls: ['rename', 'rm'],
    why: 'moves a fragment into the trash with the confirmed grant for it, or back; empties the trash',
  },
  'libs/storage/src/chunks/containers/container-writer.ts': {
    calls: ['rename'],
    why: 'gives a finished container its final name; the id in it is new',
  },
  'libs/storage/src/chunks/containers/container-files.ts': {
    calls: ['rm'],
    why: 'drops a container that the index does not name any more (what lives of it is durable in another one), and what was begun and never closed, of which nobody was told',
  },
  'libs/storage/src/chunks/index/level-chunk-index.ts': {
    calls: ['writeFile'],
    why: 'adds to the note that the index is damaged',
  },
  'libs/storage/src/chunks/put-aside.ts': {
    calls: ['rename'],
    why: 'puts a damaged index, or damaged references, aside under a name of their own',
  },
  'libs/storage/src/file-library/cartridge-files.ts': {
    calls: ["'w'", "'r+'"],
    why: 'writes down what a new cartridge is, before it has its name; opens the files of a volume to write on behind what is there',
  },
  'libs/storage/src/file-library/file-changer.ts': {
    calls: ['rename'],
    why: 'moves a whole cartridge to an empty place, which replaces nothing; gives a new one its name',
  },
  'libs/storage/src/file-library/file-medium.ts': {
    calls: ['rename', 'rm'],
    why: 'begins a volume anew with the permit for its label (every fragment on it is gone by its tombstone) and drops the generation before; clears what it began of one before that had a name',
  },
  'libs/storage/src/file-library/open-library.ts': {
    calls: ['rename', "'w'"],
    why: 'writes down the shape of a new library',
  },
  'libs/storage/src/sequential/sequential-fragment-store.ts': {
    calls: ['rm'],
    why: 'drops from the spool what is durable on a volume and in its ledger',
  },
  'apps/media/src/volumes/volume.ts': {
    calls: ['rename', "'w'"],
    why: 'writes the identity of a new volume',
  },
};
/** What a handle writes goes by how it was opened; without one `writeFile` replaces what is there. */
const REMOVAL =
  /\b(rm|unlink|rmdir|f?truncate|rename|copyFile|cp|createWriteStream|(?<!handle\.)writeFile)(?:Sync)?\s*\(|('w\+?'|'r\+'|O_(?:WRONLY|RDWR|TRUNC))/g;

const LINES_MAX = 400;
const FILES_PER_FOLDER_MAX = 15;
const FOLDER_LEVELS_MAX = 2;

const files = readSourceFiles(checkoutFolder());
const byPath = new Map(files.map((file) => [file.path, file]));
const shipped = files.filter((file) => !file.isTest);
const edges = files.flatMap((file) =>
  file.imports.flatMap((specifier) => {
    const to = resolveImport(file.path, specifier);
    return to === undefined ? [] : [{ from: file.path, to, isTest: file.isTest }];
  }),
);

describe('imports', () => {
  it('lead to files that exist', () => {
    expect(edges.filter(({ to }) => !byPath.has(to))).toEqual([]);
  });

  it('of a library stay within what the table allows', () => {
    const wrong = edges.filter(({ from, to, isTest }) => {
      const [owner, other] = [ownerOf(from), ownerOf(to)];
      const allowed = LIBRARIES[owner];
      return !isTest && allowed !== undefined && owner !== other && !allowed.includes(other);
    });
    expect(wrong).toEqual([]);
  });

  it('name every library in the table', () => {
    const libraries = new Set(files.map((file) => ownerOf(file.path)));
    const missing = [...libraries].filter((name) => name.startsWith('libs/') && !LIBRARIES[name]);
    expect(missing).toEqual([]);
  });

  it('never lead from one app to another, but where the table says so', () => {
    const wrong = edges.filter(({ from, to, isTest }) => {
      const [owner, other] = [ownerOf(from), ownerOf(to)];
      const isApp = owner.startsWith('apps/') && other.startsWith('apps/');
      const allowed = APPS[owner] ?? [];
      return !isTest && isApp && owner !== other && allowed !== 'all' && !allowed.includes(other);
    });
    expect(wrong).toEqual([]);
  });

  it('never lead from what is shipped to what is for tests only', () => {
    const wrong = edges.filter(({ to, isTest }) => !isTest && byPath.get(to)?.isTest);
    expect(wrong).toEqual([]);
  });

  it('of a library go through its name', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter((name) => name.startsWith('.') && !file.path.startsWith('test/'))
        .filter((name) => {
          const to = ownerOf(resolveImport(file.path, name) ?? '');
          return to.startsWith('libs/') && to !== ownerOf(file.path);
        })
        .map((name) => `${file.path}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('make no circle between files', () => {
    expect(circles()).toEqual([]);
  });

  it('of NATS stand in libs/messaging only', () => {
    const wrong = shipped
      .filter((file) => file.imports.some((name) => name.startsWith('@nats-io/')))
      .filter((file) => ownerOf(file.path) !== 'libs/messaging');
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('pure folders', () => {
  it('import no framework, no database, no network and no files', () => {
    const wrong = shipped
      .filter((file) => PURE_FOLDERS.test(file.path))
      .flatMap((file) =>
        file.imports.filter((name) => IMPURE.test(name)).map((name) => `${file.path}: ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  it('of an app import nothing of the app outside', () => {
    const wrong = edges.filter(
      ({ from, to, isTest }) =>
        !isTest &&
        /^apps\/\w+\/src\/domain\//.test(from) &&
        to.startsWith('apps/') &&
        !/^apps\/\w+\/src\/domain\//.test(to),
    );
    expect(wrong).toEqual([]);
  });
});

describe('what is loaded', () => {
  it('by the command line is neither Nest nor TypeORM', () => {
    const heavy = loadedBy('apps/cli/src/main.ts', byPath).filter((file) =>
      file.imports.some((name) => /^(@nestjs|typeorm|pg\b)/.test(name)),
    );
    expect(heavy.map(({ path }) => path)).toEqual([]);
  });

  it('boots Nest in one place', () => {
    const places = shipped.filter((file) => /\bNestFactory\b/.test(file.code));
    expect(places.map(({ path }) => path)).toEqual(['libs/service/src/run-service.ts']);
  });
});

describe('files', () => {
  it('hold something of their own: no barrels', () => {
    const wrong = files.filter(
      (file) =>
        /(^|\/)index\.ts$/.test(file.path) || /^export\s+(\*|\{[^}]*\}\s*from)/m.test(file.code),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('are named after their noun', () => {
    const wrong = files.filter(
      ({ path }) =>
        !/\/[a-z0-9-]+(\.[a-z-]+)*\.ts$/.test(path) || /\.(dto|types|utils?)\.ts$/.test(path),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it(`have at most ${LINES_MAX} lines`, () => {
    const wrong = files.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX);
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it(`stand at most ${FILES_PER_FOLDER_MAX} to a folder, tests not counted`, () => {
    const folders = new Map<string, number>();
    for (const { path } of files.filter((file) => !file.path.endsWith('.spec.ts'))) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      folders.set(folder, (folders.get(folder) ?? 0) + 1);
    }
    const wrong = [...folders].filter(([, count]) => count > FILES_PER_FOLDER_MAX);
    expect(wrong).toEqual([]);
  });

  it(`lie at most ${FOLDER_LEVELS_MAX} folders below src`, () => {
    const levels = (path: string): number => (path.split('/src/')[1] ?? '').split('/').length - 1;
    const wrong = files.filter(({ path }) => levels(path) > FOLDER_LEVELS_MAX);
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('storage', () => {
  it('removes and replaces nothing but what the table names, with a reason', () => {
    const found = shipped
      .filter(({ path }) => /^libs\/storage\/|^apps\/media\//.test(path))
      .flatMap(({ path, code }) => {
        const calls = [...code.matchAll(REMOVAL)].flatMap(([, call, flag]) => call ?? flag ?? []);
        return calls.length === 0 ? [] : [[path, [...new Set(calls)].sort()]];
      });
    const allowed = Object.entries(REMOVALS).map(([path, { calls }]) => [path, [...calls].sort()]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(allowed));
  });
});

describe('a confirmed grant', () => {
  it('is made in one place and goes to the one place that removes', () => {
    const names = (path: string) => byPath.get(path)!.code.includes('ConfirmedGrant');
    const holders = shipped.map(({ path }) => path).filter(names);
    expect(holders).toEqual([
      'libs/storage/src/chunks/chunk-store.ts',
      'libs/storage/src/confirmed-grant.ts',
      'libs/storage/src/directory/directory-fragment-store.ts',
      'libs/storage/src/directory/directory-trash.ts',
      'libs/storage/src/fragment-store.ts',
      'libs/storage/src/sequential/sequential-fragment-store.ts',
    ]);
    const makers = shipped.filter(({ code }) => /\bconfirmGrant\b/.test(code));
    expect(makers.map(({ path }) => path)).toEqual([
      'apps/media/src/removal/removals.ts',
      'libs/storage/src/confirmed-grant.ts',
    ]);
    const casts = shipped.filter(({ code }) => /\bas ConfirmedGrant\b/.test(code));
    expect(casts.map(({ path }) => path)).toEqual(['libs/storage/src/confirmed-grant.ts']);
  });
});

describe('a confirmed word on orphans', () => {
  it('is made in one place', () => {
    const casts = shipped.filter(({ code }) => /\bas ConfirmedOrphans\b/.test(code));
    expect(casts.map(({ path }) => path)).toEqual([
      'libs/storage/src/chunks/collection/orphan-grant.ts',
    ]);
    const drops = shipped.filter(({ code }) => /\bfiles\.drop\(/.test(code));
    expect(drops.map(({ path }) => path)).toEqual([
      'libs/storage/src/chunks/collection/chunk-collector.ts',
      'libs/storage/src/chunks/collection/gathering.ts',
    ]);
  });
});

describe('a permit to begin a volume anew', () => {
  it('is made of the books in one place and used in one place', () => {
    const using = (pattern: RegExp) =>
      shipped.filter(({ code }) => pattern.test(code)).map(({ path }) => path);
    expect(using(/\bpermitRecycling\b/)).toEqual([
      'libs/storage/src/sequential/recycle-permit.ts',
      'libs/storage/src/sequential/volume-keeper.ts',
    ]);
    expect(using(/\bas RecyclePermit\b/)).toEqual([
      'libs/storage/src/sequential/recycle-permit.ts',
    ]);
    expect(using(/\bmedium\.begin\(/)).toEqual(['libs/storage/src/sequential/volume-keeper.ts']);
  });
});

/** Each circle of imports as the files it passes, found by walking depth-first. */
function circles(): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) {
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      found.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    } else if (!done.has(path)) {
      for (const to of next.get(path) ?? []) visit(to, [...way, path]);
      done.add(path);
    }
  };
  for (const path of next.keys()) visit(path, []);
  return found;
}
