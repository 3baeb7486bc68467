//! `list_mean(list)`: DataFusion's `array_avg` under the name that goes with `list_sum`.

use crate::datafusion::functions_nested::array_avg::array_avg_udf;
use crate::datafusion::logical_expr::ScalarUDF;

pub(super) fn list_mean() -> ScalarUDF {
    array_avg_udf().as_ref().clone().with_aliases(["list_mean"])
}
