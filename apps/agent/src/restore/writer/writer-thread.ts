import { parentPort, workerData } from 'node:worker_threads';

import { openWriter } from './restore-writer.js';
import type { ToWriter, WriterOptions } from './writer-messages.js';

/** The thread that writes. It ends when it has posted `finished`. */
const port = parentPort;
if (port === null) throw new Error('This file is run as a worker thread.');

const writer = openWriter(workerData as WriterOptions, (message) => {
  port.postMessage(message);
  if (message.kind === 'finished') port.close();
});
port.on('message', (message: ToWriter) => writer?.handle(message));
