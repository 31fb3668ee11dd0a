import { describe, expect, it } from '@jest/globals';

import { CATALOG_WHOLE_MS_MAX } from '#contracts/catalog/care.js';
import { renderNatsUsers } from './nats-users.js';

describe("nats-server's user file", () => {
  const text = renderNatsUsers(
    [
      {
        name: 'jobs',
        nkeyPublic: 'UJOBS',
        permissions: { publish: ['$JS.ACK.>'], subscribe: [] },
        responds: true,
      },
    ],
    'USYSTEM',
  );

  it('quotes subjects, so that "$" does not begin a variable', () => {
    expect(text).toContain('publish: { allow: ["$JS.ACK.>"] }');
  });

  it('writes an empty list as nothing, not as everything', () => {
    expect(text).toContain('subscribe: { deny: [">"] }');
  });

  it('lets those answer who respond', () => {
    expect(text).toContain('allow_responses');
  });

  it('lets an answer come as late as anybody waits for one', () => {
    const [, minutes] = /expires: "(\d+)m"/.exec(text)!;
    expect(Number(minutes) * 60_000).toBeGreaterThan(CATALOG_WHOLE_MS_MAX);
  });

  it('keeps the system user in an account of its own', () => {
    expect(text).toMatch(/SYS \{\s+users: \[\s+\{ nkey: "USYSTEM" \}\s+\]/);
    expect(text).toContain('system_account: SYS');
  });
});
