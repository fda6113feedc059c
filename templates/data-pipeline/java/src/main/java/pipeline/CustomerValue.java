package pipeline;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.ntile;
import static org.apache.spark.sql.functions.sum;

import java.util.concurrent.Callable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Writes what each customer is worth: orders, revenue, margin, last order, and a decile (1 = the most valuable tenth).
 *
 * <p>Uses Spark's DataFrame API only (no RDD, no SparkContext), so the same classes run on a Databricks cluster and through Spark
 * Connect. The session belongs to the cluster and is not stopped here.
 */
@Command(name = "customer-value", mixinStandardHelpOptions = true)
public final class CustomerValue implements Callable<Integer> {
  @Option(names = "--catalog", required = true, description = "Catalog of the tables.")
  private String catalog;

  @Option(names = "--schema", required = true, description = "Schema of the tables.")
  private String schema;

  @Option(names = "--load-id", required = true, description = "Load that the rows belong to.")
  private String loadId;

  /** Reads orders and products, writes the table customer_value. */
  @Override
  public Integer call() {
    SparkSession spark = SparkSession.builder().getOrCreate();
    Dataset<Row> values = values(spark.table(table("orders")), spark.table(table("products")), loadId);
    values.write().mode("overwrite").option("overwriteSchema", "true").saveAsTable(table("customer_value"));
    System.out.println(table("customer_value") + ": " + spark.table(table("customer_value")).count() + " customers");
    return 0;
  }

  /**
   * Computes one row for each customer.
   *
   * @param orders order_id, ordered_at, customer_id, product_id, quantity, unit_price_cents
   * @param products product_id, unit_cost_cents
   * @param loadId load that the rows belong to
   */
  static Dataset<Row> values(Dataset<Row> orders, Dataset<Row> products, String loadId) {
    Dataset<Row> costs = products.select(col("product_id"), col("unit_cost_cents"));
    Dataset<Row> lines =
        orders
            .join(costs, new String[] {"product_id"}, "left")
            .select(
                col("customer_id"),
                col("ordered_at"),
                col("quantity").multiply(col("unit_price_cents")).alias("revenue"),
                // A product that the catalog does not know has no known margin: it counts as none.
                col("quantity")
                    .multiply(col("unit_price_cents").minus(coalesce(col("unit_cost_cents"), col("unit_price_cents"))))
                    .alias("margin"));
    return lines
        .groupBy(col("customer_id"))
        .agg(
            count(lit(1)).alias("orders"),
            sum(col("revenue")).alias("revenue_cents"),
            sum(col("margin")).alias("margin_cents"),
            max(col("ordered_at")).alias("last_order_at"))
        .withColumn("decile", ntile(10).over(Window.orderBy(col("revenue_cents").desc(), col("customer_id"))))
        .withColumn("load_id", lit(loadId));
  }

  private String table(String name) {
    return quoted(catalog) + "." + quoted(schema) + "." + quoted(name);
  }

  private static String quoted(String part) {
    return "`" + part.replace("`", "``") + "`";
  }

  /** Ends normally on success: a JAR task on Databricks must not call System.exit. */
  public static void main(String[] arguments) {
    int code = new CommandLine(new CustomerValue()).setExecutionExceptionHandler((error, line, parsed) -> {
      throw error;
    }).execute(arguments);
    if (code != 0) {
      throw new IllegalArgumentException("customer-value ended with exit code " + code);
    }
  }
}
