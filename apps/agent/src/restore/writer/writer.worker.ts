import { parentPort, workerData } from 'node:worker_threads';

import { besideThread } from '../beside/beside-thread.js';
import { openWriter } from './open-writer.js';
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.js';

/** The thread that writes. It ends when it has posted `finished`. */
const port = parentPort;
if (port === null) throw new Error('This file is run as a worker thread.');

const post = (message: FromWriter) => {
  port.postMessage(message);
  if (message.kind === 'finished') port.close();
};
const writer = openWriter(workerData as WriterOptions, post, besideThread);
port.on('message', (message: ToWriter) => writer?.handle(message));
