import { serverCache } from './checkout-folder.js';
import { fetchNatsServer, findNatsServer } from './nats-binary.js';
import { findPostgres } from './postgres-binaries.js';

export interface ServerPreparation {
  readonly checkout: string;
  readonly env: NodeJS.ProcessEnv;
  /** Called before something that takes seconds, and with what was found. */
  readonly say: (line: string) => void;
}

/**
 * Makes sure that both servers are there, fetching nats-server where it is not. For
 * `deploy/setup.mjs`; a start looks again by itself. Throws `PermanentError` that says what to do.
 */
export async function prepareServers({ checkout, env, say }: ServerPreparation): Promise<void> {
  const search = { env, cache: serverCache(checkout, env) };
  let nats = await findNatsServer(search);
  if (nats === undefined) {
    say("Fetching nats-server from Debian's package of the next release (once) ...");
    nats = await fetchNatsServer(search);
  }
  const postgres = await findPostgres({ env, checkout });
  say(`nats-server ${nats.version}: ${nats.path}`);
  say(`PostgreSQL ${postgres.version} (${postgres.origin}): ${postgres.folder}`);
}
