import type { DataSource } from 'typeorm';

/** For a migration of a service whose settings can be set while it runs. */
export const SETTINGS_TABLE = `
  CREATE TABLE setting (
    name text PRIMARY KEY,
    value text NOT NULL
  );
`;

/** The SQL about what was set. */
export class SettingsTable {
  constructor(private readonly database: DataSource) {}

  async read(): Promise<Map<string, string>> {
    const rows: { name: string; value: string }[] = await this.database.query(
      'SELECT name, value FROM setting',
    );
    return new Map(rows.map(({ name, value }) => [name, value]));
  }

  async put(name: string, value: string): Promise<void> {
    await this.database.query(
      `INSERT INTO setting (name, value) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value`,
      [name, value],
    );
  }

  /** From then on the environment or the default is in force again. */
  async unset(name: string): Promise<void> {
    await this.database.query('DELETE FROM setting WHERE name = $1', [name]);
  }
}
