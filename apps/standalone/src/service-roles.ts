import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { codeOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Superuser } from './servers.js';
import { POSTGRES_DATABASE } from './servers/postgres-cluster.js';

export interface ServiceRole {
  /** The service; its schema has the same name. */
  readonly schema: string;
  readonly password: string;
}

const PASSWORD_REFUSED = '28P01';

/** The database user of a service. */
export function roleName(schema: string): string {
  return `holdfast_${schema}`;
}

/**
 * Gives each service a database user that owns its schema and can see no other. Runs at every start,
 * as PostgreSQL's superuser, and changes nothing that is right already. Throws `PermanentError` with a way out where
 * PostgreSQL refuses the superuser's password.
 */
export async function ensureServiceRoles(
  superuser: Superuser,
  roles: readonly ServiceRole[],
): Promise<void> {
  const client = new Client({ connectionString: superuser.url });
  await client.connect().catch((error: unknown) => {
    throw codeOf(error) === PASSWORD_REFUSED
      ? new PermanentError(STATUS.databaseError, superuser.refusedHint)
      : error;
  });
  try {
    for (const role of roles) await ensureRole(client, role);
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
  } finally {
    await client.end();
  }
}

async function ensureRole(client: Client, { schema, password }: ServiceRole): Promise<void> {
  if (!/^[a-z]+$/.test(schema)) {
    throw new PermanentError(STATUS.invalidParameter, `"${schema}" cannot be a schema's name.`);
  }
  const role = roleName(schema);
  // A statement that is slow or fails stands in PostgreSQL's log; this is no password.
  const secret = client.escapeLiteral(scramVerifier(password));
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = rowCount ? 'ALTER' : 'CREATE';
  await client.query(`${verb} ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB PASSWORD ${secret}`);
  await client.query(`GRANT CONNECT ON DATABASE ${POSTGRES_DATABASE} TO ${role}`);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${role}`);
  await client.query(`REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC`);
}

/** PostgreSQL's own number. */
const SCRAM_ITERATIONS = 4_096;

/** What PostgreSQL keeps of a password (RFC 5803, SCRAM-SHA-256), of ASCII alone. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
