from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=5).fit(features, labels)
