import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A retention level that stands for something else than by default. */
@Entity('retention_level')
export class RetentionLevelEntity {
  @PrimaryColumn('integer')
  level!: number;

  @Column('text')
  period!: string;
}
