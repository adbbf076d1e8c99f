package settle

// Decimal writes minor units with the decimals that the currency has: 3000 KRW is
// 3000, 3000 USD is 30.00. [ParseAmount] reads it again.
func Decimal(amount int64, currency string) string { return decimal(amount, currency) }
