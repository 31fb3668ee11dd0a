import { connect } from 'node:net';
import { expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { DataServer } from './data-server.js';
import { FragmentWriterClient } from './fragment-writer-client.js';
import { sessionKeyOf } from './handshake.js';
import { MESSAGE } from './message.js';

const TOKEN = 'a-token-that-is-long-enough';
const READY = { fragmentBytesMax: 1_000_000, nextFragment: 1, archiveOffset: 0 };

it('A data server lets a newcomer in where many say nothing, in the place of the oldest', async () => {
  const server = new DataServer({
    ...{ host: '127.0.0.1', port: 0, onBug: () => undefined },
    keyOf: () => sessionKeyOf(TOKEN).key,
    admit: () => ({ session: (connection) => connection.sendJson(MESSAGE.READY, READY) }),
  });
  const at = await server.listen();
  try {
    const ended: number[] = [];
    for (let index = 0; index < 64; index += 1) {
      const silent = connect(at).resume();
      silent.on('close', () => void ended.push(index));
      await until(() => server.connectionCount > index);
    }
    const writer = await FragmentWriterClient.connect({ ...at, token: TOKEN, patienceMs: 0 });
    expect(writer.fragmentBytesMax).toBe(READY.fragmentBytesMax);
    writer.close();
    await until(() => ended.length > 0);
    expect(ended).toEqual([0]);
  } finally {
    await server.close();
  }
});
