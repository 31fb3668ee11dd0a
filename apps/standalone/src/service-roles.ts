import { Client } from 'pg';
import { PermanentError } from '#kernel/errors.js';
import { POSTGRES_DATABASE } from './servers/postgres-cluster.js';

export interface ServiceRole {
  /** The service; its schema has the same name. */
  readonly schema: string;
  readonly password: string;
}

/** The database user of a service. */
export function roleName(schema: string): string {
  return `holdfast_${schema}`;
}

/**
 * Gives each service a database user that owns its schema and can see no other. Runs at every start,
 * as PostgreSQL's superuser, and changes nothing that is right already.
 */
export async function ensureServiceRoles(
  superuserUrl: string,
  roles: readonly ServiceRole[],
): Promise<void> {
  const client = new Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    for (const role of roles) await ensureRole(client, role);
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
  } finally {
    await client.end();
  }
}

async function ensureRole(client: Client, { schema, password }: ServiceRole): Promise<void> {
  if (!/^[a-z]+$/.test(schema)) {
    throw new PermanentError(20, `"${schema}" cannot be a schema's name.`);
  }
  const role = roleName(schema);
  const secret = client.escapeLiteral(password);
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = rowCount ? 'ALTER' : 'CREATE';
  await client.query(`${verb} ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB PASSWORD ${secret}`);
  await client.query(`GRANT CONNECT ON DATABASE ${POSTGRES_DATABASE} TO ${role}`);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${role}`);
  await client.query(`REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC`);
}
