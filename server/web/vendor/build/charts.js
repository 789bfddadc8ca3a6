// What the page uses of echarts; rebuild.sh makes ../echarts.js of it.
import { use } from 'echarts/core';
import { BarChart, LineChart, PieChart } from 'echarts/charts';
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';

use([BarChart, LineChart, PieChart, AriaComponent, GridComponent, LegendComponent,
  TooltipComponent, CanvasRenderer]);

export { init } from 'echarts/core';
