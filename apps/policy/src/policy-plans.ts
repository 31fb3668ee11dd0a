import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { planOf, type PolicyPlan } from './domain/due/policy-plan.js';
import { Policies } from './persistence/policies.js';

export interface StoredPlan {
  readonly plan: PolicyPlan;
  readonly createdAt: Date;
}

/**
 * Policies made ready to be asked when they are due. Each is parsed once after a change, and keeps
 * what it worked out about its days.
 */
@Injectable()
export class PolicyPlans {
  private readonly known = new Map<string, { version: string; plan: PolicyPlan }>();

  /** One policy, or all by name. */
  async read(db: EntityManager, name?: string): Promise<StoredPlan[]> {
    const policies = new Policies(db);
    const versions = await policies.versions(name);
    // Another question may forget or replace what this one has found, so it keeps it.
    const plans = new Map<string, PolicyPlan>();
    const changed = new Map<string, string>();
    for (const row of versions) {
      const known = this.known.get(row.name);
      if (known?.version === row.version) plans.set(row.name, known.plan);
      else changed.set(row.name, row.version);
    }
    for (const policy of changed.size > 0 ? await policies.named([...changed.keys()]) : []) {
      const plan = planOf(policy);
      plans.set(policy.name, plan);
      this.known.set(policy.name, { version: changed.get(policy.name)!, plan });
    }
    if (name === undefined) this.forgetOthers(new Set(versions.map((row) => row.name)));
    return versions.flatMap(({ name: found, createdAt }) => {
      const plan = plans.get(found);
      return plan === undefined ? [] : [{ plan, createdAt }];
    });
  }

  private forgetOthers(names: ReadonlySet<string>): void {
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
  }
}
