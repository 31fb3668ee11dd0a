import { crashAt } from '../crash-point.js';
import { MemoryCatalog } from './memory-catalog.js';
import { MemorySources } from './memory-sources.js';
import { TestMediaServer } from './media-server.js';
import { sampleBackup, sendBackup } from './sample-backup.js';

/**
 * A process of a test: `crashing-server.ts FOLDER CRASH-POINT [library]`. It writes a backup of two fragments
 * into the folder, duplicates it, removes the first fragment by a grant, and dies at that point, or
 * says "done".
 */
const [, , folder, crashName, kind] = process.argv;
const crashPoint = crashAt(crashName);
const catalog = new MemoryCatalog();
const media = await TestMediaServer.start({
  ...{ folder: folder!, catalog, crashPoint, isLibrary: kind === 'library' },
});
const backup = await sampleBackup({ fragments: 2, framesEach: 2, frameBytes: 50_000 });
const { writer } = await media.write();
await sendBackup(writer, backup);
const sources = new MemorySources();
sources.add(catalog.committed.values());
await media.duplicate(sources).run();
const [first] = catalog.committed.keys();
await media.removals.onGrant(catalog.grant(first!));
await media.stop();
process.stdout.write('done\n');
