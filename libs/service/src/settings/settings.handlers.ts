import { Controller, type Type } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { settingsEndpoint, settingsPutEndpoint } from '#contracts/settings/settings.js';
import { Answers } from '#messaging/answers.js';
import { Settings } from './settings.js';
import { SettingsKeeper } from './settings-keeper.js';

/** Answers `settings` of a service. */
export function settingsController({
  service,
  instance,
}: {
  readonly service: string;
  readonly instance: string;
}): Type {
  const endpoint = settingsEndpoint(service);

  @Controller()
  class SettingsHandlers {
    constructor(private readonly settings: Settings) {}

    @Answers(endpoint)
    async show(_request: RequestOf<typeof endpoint>): Promise<ResponseOf<typeof endpoint>> {
      return { service, instance, settings: this.settings.views() };
    }
  }
  return SettingsHandlers;
}

/** Answers `settings-put` of a service that has something to set, and a table to keep it in. */
export function settingsPutController(service: string): Type {
  const endpoint = settingsPutEndpoint(service);

  @Controller()
  class SettingsPutHandlers {
    constructor(private readonly keeper: SettingsKeeper) {}

    @Answers(endpoint)
    async put({ name, value }: RequestOf<typeof endpoint>): Promise<ResponseOf<typeof endpoint>> {
      return { setting: await this.keeper.put(name, value) };
    }
  }
  return SettingsPutHandlers;
}
