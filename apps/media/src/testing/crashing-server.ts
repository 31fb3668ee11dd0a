import { crashAt } from '../crash-point.js';
import { MemoryCatalog } from './memory-catalog.js';
import { TestMediaServer } from './media-server.js';
import { sampleBackup, sendBackup } from './sample-backup.js';

/**
 * A process of a test: `crashing-server.ts FOLDER`, with HOLDFAST_CRASH_AT. It writes a backup of
 * two fragments into the folder and dies at that point, or says "done".
 */
const crashPoint = crashAt(process.env['HOLDFAST_CRASH_AT']);
const catalog = new MemoryCatalog();
const media = await TestMediaServer.start({ folder: process.argv[2]!, catalog, crashPoint });
const backup = await sampleBackup({ fragments: 2, framesEach: 2, frameBytes: 50_000 });
const { writer } = await media.write();
await sendBackup(writer, backup);
await media.stop();
process.stdout.write('done\n');
