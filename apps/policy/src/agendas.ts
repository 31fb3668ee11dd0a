import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PolicySettings } from './config.js';
import { agenda, type Entry } from './domain/agenda.js';
import type { History } from './domain/history.js';
import { Histories } from './persistence/histories.js';
import { Policies } from './persistence/policies.js';
import { RunningJobs } from './persistence/running-jobs.js';

/** Reads what there is of policies and works out when everything is due. */
@Injectable()
export class Agendas {
  constructor(
    private readonly database: DataSource,
    private readonly settings: PolicySettings,
  ) {}

  /** The entries of one policy, or of all. */
  read(name?: string): Promise<Entry[]> {
    return this.database.transaction('REPEATABLE READ', async (db) => {
      const policies = (await new Policies(db).all()).filter(
        ({ policy }) => name === undefined || policy.name === name,
      );
      const histories = new Map<string, History>();
      for (const { policy, schedule, client, history } of await new Histories(db).all(name)) {
        histories.set(key(policy, schedule, client), history);
      }
      const running = new Map<string, number>();
      for (const { policy, client, job } of await new RunningJobs(db).all(name)) {
        running.set(key(policy, client), job);
      }
      return policies.flatMap(({ policy, createdAt }) =>
        agenda(
          {
            policy,
            knownSince: createdAt,
            history: (schedule, client) => histories.get(key(policy.name, schedule, client)),
            running: (client) => running.get(key(policy.name, client)),
          },
          this.settings.retry,
        ),
      );
    });
  }
}

/** Names hold no space. */
function key(...names: string[]): string {
  return names.join(' ');
}
