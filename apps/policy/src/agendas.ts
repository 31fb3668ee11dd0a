import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PolicyConfig } from './config.js';
import { agenda, type Entry } from './domain/due/agenda.js';
import { asOf } from './domain/due/history.js';
import { AgendaRows, type RowFilter } from './persistence/agenda-rows.js';
import { Suspensions } from './persistence/suspensions.js';
import { PolicyPlans } from './policy-plans.js';

export interface AgendaQuestion extends RowFilter {
  readonly asked: Date;
  /** What time it is, where it is asked as if it were another one. */
  readonly now?: Date | undefined;
}

/** Reads what there is of policies and works out when everything is due. */
@Injectable()
export class Agendas {
  constructor(
    private readonly database: DataSource,
    private readonly plans: PolicyPlans,
    private readonly config: PolicyConfig,
  ) {}

  /** The entries of one policy or client, or of all; all of them as of one moment. */
  read(question: AgendaQuestion): Promise<Entry[]> {
    return this.database.transaction('REPEATABLE READ', (db) => this.readIn(db, question));
  }

  private async readIn(db: EntityManager, question: AgendaQuestion): Promise<Entry[]> {
    const { asked, now, client } = question;
    const plans = await this.plans.read(db, question.policy);
    const suspensions = await new Suspensions(db).all();
    const rows = new AgendaRows(db);
    const [histories, running] = [await rows.histories(question), await rows.running(question)];
    const entries: Entry[] = [];
    for (const { plan, createdAt } of plans) {
      const { name } = plan.policy;
      const state = {
        ...{ plan, knownSince: createdAt, suspendedSince: suspensions.sinceOf(name) },
        history: (schedule: string, host: string) => asOf(histories(name, schedule, host), asked),
        running: (host: string) => running(name, host),
      };
      for (const entry of agenda(state, { retry: this.config.retry, asked, now, client })) {
        entries.push(entry);
      }
    }
    return entries;
  }
}
