import { expect, it } from '@jest/globals';
import { MESSAGE } from './message.js';
import { finish, parsePayload } from './payloads.js';

it('FINISH can be parsed as it is sent', () => {
  const totals = { fragments: 2, files: 1, bytes: 4, kind: 'full' };
  const payload = Buffer.from(JSON.stringify(totals));
  const message = { type: MESSAGE.FINISH, length: payload.length, pieces: [payload] };
  expect(parsePayload(message, finish)).toEqual(totals);
  expect(() => parsePayload({ ...message, pieces: [Buffer.from('{')] }, finish)).toThrow(
    /not JSON/,
  );
  const wrong = Buffer.from(JSON.stringify({ ...totals, files: -1 }));
  expect(() => parsePayload({ ...message, pieces: [wrong] }, finish)).toThrow(/wrong at "files"/);
});
