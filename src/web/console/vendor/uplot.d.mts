/** The plot. Its options are those of uPlot 1.6. */
export default class uPlot {
  constructor(options: object, data: (number | null)[][], target: Element);
  setData(data: (number | null)[][]): void;
  setSize(size: { width: number; height: number }): void;
  destroy(): void;
}
