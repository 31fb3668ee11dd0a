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
    const changed = versions.filter((row) => this.known.get(row.name)?.version !== row.version);
    const versionOf = new Map(changed.map((row) => [row.name, row.version]));
    const specs = changed.length === 0 ? [] : await policies.named([...versionOf.keys()]);
    for (const policy of specs) {
      const version = versionOf.get(policy.name)!;
      this.known.set(policy.name, { version, plan: planOf(policy) });
    }
    if (name === undefined) this.forgetOthers(new Set(versions.map((row) => row.name)));
    return versions.map((row) => ({
      plan: this.known.get(row.name)!.plan,
      createdAt: row.createdAt,
    }));
  }

  private forgetOthers(names: ReadonlySet<string>): void {
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
  }
}
