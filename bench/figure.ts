/** One measured number, and what it is held against. */
export interface Figure {
  question: string;
  name: string;
  value: number;
  unit: string;
  /** What it should reach; left out for figures that only explain. */
  target?: { at: 'least' | 'most'; value: number };
}

export const reached = (figure: Figure): boolean | null => {
  if (figure.target === undefined) return null;
  return figure.target.at === 'least' ? figure.value >= figure.target.value : figure.value <= figure.target.value;
};
