import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Scheduling that a person has suspended. */
@Entity('suspension')
export class SuspensionEntity {
  /** Empty: of the whole cluster. */
  @PrimaryColumn('text')
  policy!: string;

  @Column('timestamptz')
  since!: Date;
}
