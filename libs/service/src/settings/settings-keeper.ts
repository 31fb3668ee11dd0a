import { Logger } from '@nestjs/common';
import type { SettingValue, SettingView } from '#contracts/settings/settings.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Settings } from './settings.js';
import type { SettingsTable } from './settings-table.js';

/** Within this time all replicas know what one of them was told. */
const READ_MS = 2_000;

/** Keeps what was set in the service's tables, and in force in every replica. */
export class SettingsKeeper extends Repeating {
  private readonly logger = new Logger('settings');
  private looking: Promise<void> = Promise.resolve();
  private readonly warnedOf = new Set<string>();

  constructor(
    private readonly settings: Settings,
    private readonly table: Pick<SettingsTable, 'read' | 'put' | 'unset'>,
  ) {
    super({
      everyMs: READ_MS,
      work: () => this.read(),
      onError: (error) => this.logger.warn(`settings were not read: ${messageOf(error)}`),
    });
  }

  /** Puts in force what is in the table; one look after the other, so that the last one counts. */
  read(): Promise<void> {
    const look = this.looking.then(() => this.look());
    this.looking = look.catch(() => undefined);
    return look;
  }

  /** Null takes back what was set. Throws as `Settings.textFor` does. */
  async put(name: string, value: SettingValue | null): Promise<SettingView> {
    if (value === null) {
      this.settings.settable(name);
      await this.table.unset(name);
    } else {
      await this.table.put(name, this.settings.textFor(name, value));
    }
    await this.read();
    const view = this.settings.view(name);
    this.logger.log(`${name} is ${view.value} ${view.unit} now (${view.source})`);
    return view;
  }

  private async look(): Promise<void> {
    for (const name of this.settings.use(await this.table.read())) {
      if (this.warnedOf.has(name)) continue;
      this.warnedOf.add(name);
      this.logger.warn(`what was set for ${name} is not allowed in this release, so it is ignored`);
    }
  }
}
